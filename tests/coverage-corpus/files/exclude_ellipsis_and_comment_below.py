def f():
    ...
# a comment right below

# and one further down
a = 1


def g(): ...


# apart
b = 2
