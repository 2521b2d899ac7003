if [i for i in range(3) if i > 5]:
    a = 1
if any(i > 1 for i in range(3)):
    a = 2
b = 1
