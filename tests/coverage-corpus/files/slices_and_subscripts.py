a = list(range(10))
b = a[1:2]
c = a[
    1
    :
    3
]
if a[0:1]:
    d = {k: v for k, v in {1: 2}.items()}
