"""Which code to use when the caller names none: one simple rule, until measurements say better.

no redundancy asked for                  uncoded, the grid as square as the workers allow
B is a vector or narrower than its share  mds over the rows of A
the inner dimension is by far the longest matdot
otherwise                                 polynomial, the grid as square as possible
"""

from anyk import codes
from anyk.code import Code
from anyk.errors import InputError
from anyk.partition import Shape

#: From this ratio of the inner to the longer outer dimension on, sending whole results is cheaper than sending
#: operands.
_INNER_DOMINATES = 4


def choose(shape_a: Shape, shape_b: Shape, *, workers: int, stragglers: int = 0) -> Code:
    """A code for ``workers`` tasks that survives ``stragglers`` missing answers.

    Args:
        shape_a: (height, depth).
        shape_b: (depth, width).
        workers: number of tasks; at least 1.
        stragglers: answers that may be missing; at least 0 and below ``workers``.

    Raises:
        InputError: no answer would be left to decode from.

    >>> choose((2000, 2000), (2000, 2000), workers=10, stragglers=2)
    Code('polynomial', partition 4 x 1 x 2, any 8 of 10)
    """
    if not 0 <= stragglers < workers:
        raise InputError(
            f"`workers={workers}, stragglers={stragglers}` leaves no answer to decode from. "
            "Use more workers than stragglers, and no negative numbers."
        )
    needed = workers - stragglers
    height, depth, width = *shape_a, shape_b[1]
    if stragglers == 0:
        rows, cols = _grid(needed, height, width)
        return codes.uncoded(rows, 1, cols)
    if width < needed:
        return codes.mds(needed, workers)
    if depth > _INNER_DOMINATES * max(height, width) and needed > 1:
        return codes.matdot((needed + 1) // 2, workers)
    rows, cols = _grid(needed, height, width)
    return codes.polynomial(rows, cols, workers)


def _grid(count: int, height: int, width: int) -> tuple[int, int]:
    """The most blocks up to ``count`` in a grid not longer than 4 : 1; among equals the squarest blocks."""
    grids = [(rows, count // rows) for rows in range(1, count + 1)]
    square = [grid for grid in grids if max(grid) <= 4 * min(grid)]
    return max(square or grids, key=lambda grid: (grid[0] * grid[1], -abs(height * grid[1] - width * grid[0]), grid))
