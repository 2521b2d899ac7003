a = "# pragma: no cover"
b = """
# pragma: no cover
"""
c = 1
