def numbers():
    n = 0
    while True:
        yield n
        n += 1


for n in numbers():
    if n > 3:
        break
else:
    never = 1
