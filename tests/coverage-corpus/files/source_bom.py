"""Doc."""
a = 1
if not a:
    b = 2
