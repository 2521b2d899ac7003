"""program - what the cost of counting is measured with.

loop: a few functions with hot loops (queens, sieve, Mandelbrot). many: 2,000 functions of ten lines
with two ifs each, 600,000 calls. untraced: `loop` in a file that is not counted.
"""

import sys
import time


def loop_source():
    return '''
def queens(n, row=0, left=0, right=0, down=0):
    if row == n:
        return 1
    found = 0
    for column in range(n):
        bit = 1 << column
        if not (down & bit or left & (1 << (row + column)) or right & (1 << (row - column + n))):
            found += queens(
                n, row + 1, left | 1 << (row + column), right | 1 << (row - column + n), down | bit
            )
    return found


def sieve(n):
    prime = [True] * n
    for i in range(2, n):
        if prime[i]:
            j = i * i
            while j < n:
                prime[j] = False
                j += i
    return sum(prime)


def mandelbrot(size):
    inside = 0
    for y in range(size):
        for x in range(size):
            c = complex(3.0 * x / size - 2, 2.0 * y / size - 1)
            z = 0
            for _ in range(40):
                z = z * z + c
                if abs(z) > 2:
                    break
            else:
                inside += 1
    return inside


def run():
    return queens(6), sieve(60000), mandelbrot(60)
'''


def many_source(functions=2000):
    parts = []
    for i in range(functions):
        parts.append(
            f"def f{i}(x):\n    a = x + {i}\n    b = a * 2\n    if b < 0:\n        b = -b\n"
            "    c = b - a\n    if c > 5:\n        c -= 1\n    d = c\n    return d\n"
        )
    names = ", ".join(f"f{i}" for i in range(functions))
    parts.append(f"ALL = [{names}]\n\ndef run():\n    for _ in range(300):\n")
    parts.append("        for f in ALL:\n            f(1)\n")
    return "".join(parts)


def main():
    path, times = sys.argv[1], int(sys.argv[2])
    scope = {"__name__": "measured", "__file__": path}
    with open(path) as file:
        exec(compile(file.read(), path, "exec"), scope)
    best = []
    for _ in range(times):
        begun = time.process_time()
        scope["run"]()
        best.append(time.process_time() - begun)
    print(" ".join(f"{t:.6f}" for t in best))


if __name__ == "__main__":
    main()
