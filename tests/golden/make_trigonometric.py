"""Writes trigonometric.json: tables and decoding weights to 30 digits, by the formula alone, in 100-digit arithmetic.

Nothing of anyk is used. Needs mpmath, which the tests do not: ``pip install mpmath; python make_trigonometric.py``.
"""

import json
from itertools import product
from math import gcd
from pathlib import Path

from mpmath import cos, lu_solve, matrix, mp, mpf, nstr, pi, sin, sqrt

mp.dps = 100
DIGITS = 30

# name, (rows, inner, cols), workers, survivors: ranks, or "neighbours": the first angles of the circle
CASES = [
    ("matdot", (1, 3, 1), 8, [0, 2, 3, 5, 7]),
    ("matdot", (1, 6, 1), 16, "neighbours"),
    ("polynomial", (2, 1, 3), 8, [1, 2, 4, 5, 6, 7]),
    ("generalized_polydot", (2, 2, 2), 12, [0, 1, 2, 4, 5, 7, 8, 10, 11]),
    ("generalized_polydot", (3, 2, 1), 11, "neighbours"),
]


def positions(count):
    """Task w sits at g w mod P, g the number coprime to P that is nearest to 0.618 P."""
    steps = [g for g in range(1, count + 1) if gcd(g, count) == 1]
    step = min(steps, key=lambda g: (abs(g - mpf("0.618") * count), g))
    return [w * step % count for w in range(count)]


def basis(size, unit, angle):
    """T_s^u: 1 for odd sizes, then sqrt2 cos(f u t), sqrt2 sin(f u t) for the frequencies f up to s - 1."""
    values = [mpf(1)] if size % 2 else []
    for f in range(1 + size % 2, size, 2):
        values += [sqrt(2) * cos(f * unit * angle), sqrt(2) * sin(f * unit * angle)]
    return values


def tables(cut, workers):
    """left[i][j][w] = T_m^{np}_i T_n^1_j and right[j][l][w] = T_n^1_j T_p^n_l."""
    m, n, p = cut
    angles = [pi * at / workers for at in positions(workers)]
    rows, inner, cols = ([basis(s, u, t) for t in angles] for s, u in ((m, n * p), (n, 1), (p, n)))
    left = [[[rows[w][i] * inner[w][j] for w in range(workers)] for j in range(n)] for i in range(m)]
    right = [[[inner[w][j] * cols[w][el] for w in range(workers)] for el in range(p)] for j in range(n)]
    return left, right


def weights(cut, left, right, survivors):
    """d with sum_w d_w left (x) right = target: as many equations as it takes, solved by normal equations."""
    m, n, p = cut
    places = list(product(range(m), range(n), range(n), range(p)))
    system = matrix([[left[i][j][w] * right[k][el][w] for w in survivors] for i, j, k, el in places])
    found = []
    for r, c in product(range(m), range(p)):
        target = matrix([int((i, el, j) == (r, c, k)) for i, j, k, el in places])
        d = lu_solve(system.T * system, system.T * target)
        assert max(abs(x) for x in system * d - target) < mpf(10) ** -60, "these survivors do not decode"
        found.append(list(d))
    return found


def written(numbers):
    """Nested lists of decimal strings."""
    return [written(each) for each in numbers] if isinstance(numbers, list) else nstr(numbers, DIGITS)


def case(name, cut, workers, survivors):
    if survivors == "neighbours":
        threshold = cut[0] * cut[1] * cut[2] + cut[1] - 1
        survivors = sorted(w for w, at in enumerate(positions(workers)) if at < threshold)
    left, right = tables(cut, workers)
    return {
        "name": name,
        "partition": cut,
        "workers": workers,
        "positions": positions(workers),
        "survivors": survivors,
        "left": written(left),
        "right": written(right),
        "weights": written(weights(cut, left, right, survivors)),
    }


if __name__ == "__main__":
    target = Path(__file__).with_name("trigonometric.json")
    target.write_text(json.dumps([case(*each) for each in CASES], indent=1) + "\n")
