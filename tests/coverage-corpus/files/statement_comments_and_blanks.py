# a comment

a = 1  # and another

    # an indented one
if a:
    # inside
    b = 2

    # at the end
# outside
c = 3
