functions = []
for i in range(3):
    def f(i=i):
        if i == 1:
            return "one"
        return i
    functions.append(f)
for f in functions:
    f()
