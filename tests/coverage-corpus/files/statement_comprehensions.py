a = [i for i in range(3)]
b = {i: i for i in range(3) if i}
c = {
    i
    for i in range(3)
    if i
}
d = sum(
    i
    for i in range(3)
)
e = [
    j
    for i in range(2)
    for j in range(i)
]
f = [
    x for x in []
]
