for i in range(3):
    if i:
        x = 1
for j in range(3):
    if j > 5:
        x = 2
while x:
    x = 0
    if x:
        y = 1
