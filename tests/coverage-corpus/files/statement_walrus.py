if (n := 10) > 5:
    m = n
else:
    m = 0
while (n := n - 1) > 7:
    m += n
