a = 1
if a:  # why
    # because
    """a string"""
    # of that
else:
    """another"""
b = 1
