a = [
    1,
    2,  # pragma: no cover
]
b = {
    "x": 1,
}  # pragma: no cover
c = (  # pragma: no cover
    3
)
