import sys

if sys.version_info < (3, 0):  # pragma: no cover
    a = 1
elif sys.version_info < (3, 1):
    a = 2
else:
    a = 3
if __name__ == "__main__":  # pragma: no cover
    b = 1
