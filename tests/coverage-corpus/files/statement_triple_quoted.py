a = """
one
two
""".strip()
b = len("""
three
""") + 1
c = f"""
{a}
{b}
"""
