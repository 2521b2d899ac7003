for i in range(3):
    if i == 0:
        a = 0
    elif i == 1:
        a = 1
    elif i == 5:
        a = 5
    else:
        a = 2
