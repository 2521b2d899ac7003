for i in range(
    3
):
    x = i
for (
    j
) in [
    1,
    2,
]:
    x = j
y = 1
