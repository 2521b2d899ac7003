a = 1
if a: b = 1
if not a: b = 2
else: b = 3
c = 4
