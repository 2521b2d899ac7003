a = 1
if True:
    a = 2
if 1:
    a = 3
if False:
    a = 4
if 0:
    a = 5
while False:
    a = 6
