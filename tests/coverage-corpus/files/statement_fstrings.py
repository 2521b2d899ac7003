a = 1
b = f"{a}"
c = f"{a!r:>{10}}"
d = (f"{a}"
     f"{b}"
     "plain")
