a = (
    1 +
    2
)
b = [
    1,

    # in the middle
    2,
]
c = {
    "a": 1,
    "b": a,
}
d = sum([
    1,
    2,
])
