for i in range(2):
    pass
while i:
    i -= 1
    pass
if i:
    pass
elif not i:
    pass
else:
    pass
try:
    pass
except ValueError:
    pass
finally:
    pass
