"""Generalized PolyDot training: every node's answer counts, for both products of one stored block."""

import numpy as np
from numpy.typing import DTypeLike

from anyk.bases import Table, cosine, scattered, trigonometric
from anyk.code import Code, refuse_if_useless
from anyk.errors import CodeError
from anyk.nn.codes.base import Stage, TrainingCode
from anyk.partition import Partition

_REFERENCE = "arXiv 1811.10751 and 1903.01042, Generalized PolyDot; the real trigonometric pair is anyk's own"


def generalized_polydot(
    rows: int,
    inner: int,
    nodes: int,
    *,
    basis: str = "trigonometric",
    mirrored: bool = False,
    dtype: DTypeLike = "float32",
) -> TrainingCode:
    r"""Generalized PolyDot training code: weights coded once, for forward product, backward product and update.

    With $m, n$ = ``rows, inner``, node $w$ stores $\sum_{ij} r_i c_j W_{ij}$, where $r = T_m^n(\theta_w)$ and
    $c = T_n^1(\theta_w)$ are the trigonometric bases of `anyk.bases`. It multiplies by $\sum_j c_j x_j$ going forward
    and by $\sum_i r_i \delta_i$ going back; the same two encoded vectors update its block. Thresholds:
    $K_f = mn + n - 1$ and $K_b = 2mn - n$.

    Args:
        rows: blocks m along the layer's outputs; at least 1.
        inner: blocks n along its inputs; at least 1.
        nodes: P, at least both thresholds.
        basis: ``"trigonometric"``, or ``"monomial"`` (powers of Chebyshev points: for comparison only, its numbers fail
            in float32 from about ten answers on).
        mirrored: the other substitution, r = T_m^1 and c = T_n^m: $K_f = 2mn - m$, $K_b = mn + m - 1$.
        dtype: precision in which random sets of survivors must decode to 1e-3 (not asked of monomials).

    Raises:
        CodeError: too few nodes, an unknown basis, a count that is not an integer, or a dtype too coarse.

    Reference:
        Dutta et al., arXiv 1811.10751 and 1903.01042.

    >>> code = generalized_polydot(2, 2, nodes=8)
    >>> code.forward.code.recovery_threshold, code.backward.code.recovery_threshold
    (5, 6)
    """
    call = f"generalized_polydot(rows={rows}, inner={inner}, nodes={nodes})"
    for name, count in (("rows", rows), ("inner", inner), ("nodes", nodes)):
        if type(count) is not int or count < 1:
            raise CodeError(f"`{call}` needs `{name}` to be an integer of at least 1, not {count!r}.")
    if basis not in ("trigonometric", "monomial"):
        raise CodeError(f"basis={basis!r} is unknown. Use 'trigonometric' or 'monomial'.")
    long, short = 2 * rows * inner - (rows if mirrored else inner), rows * inner + (rows if mirrored else inner) - 1
    forward_threshold, backward_threshold = (long, short) if mirrored else (short, long)
    if nodes < max(long, short):
        raise CodeError(
            f"`{call}` cannot be decoded: its products need {forward_threshold} (forward) and {backward_threshold} "
            f"(backward) answers and {nodes} nodes exist. Use {max(long, short)} or more nodes, or a coarser grid."
        )
    units = (1, rows) if mirrored else (inner, 1)
    positions = scattered(nodes)
    factors = (_trigonometric if basis == "trigonometric" else _monomial)(rows, inner, units, positions)
    row, col, into, back = factors
    places = positions if basis == "trigonometric" else None
    left = np.einsum("iw,jw->ijw", row, col)
    stages = []
    for table, inputs, threshold in ((left, into, forward_threshold), (left.swapaxes(0, 1), back, backward_threshold)):
        cut = Partition(table.shape[0], table.shape[1], 1)
        # The frame of positions is that of the outer digits on the larger unit; mirrored, that is the backward product.
        code = Code(
            "generalized_polydot", cut, table, inputs[:, None], threshold, positions=places, reference=_REFERENCE
        )
        if places is not None:
            refuse_if_useless(code, call, dtype, "Use fewer nodes, a finer grid (less redundancy), or float64.")
        stages.append(Stage(code, inputs, tuple((node,) for node in range(nodes))))
    forward, backward = stages
    return TrainingCode("generalized_polydot", row, col, rows * inner, forward, backward, places, _REFERENCE)


def grid(blocks: int) -> tuple[int, int]:
    """The grid (rows, inner) with the lowest larger threshold, for nodes that store one part in ``blocks`` of W each.

    Of the mn = ``blocks`` grids, two block rows have the smallest max(K_f, K_b) where the number is even.

    Args:
        blocks: at least 1.

    >>> grid(4), grid(16), grid(9)
    ((2, 2), (2, 8), (3, 3))
    """
    if type(blocks) is not int or blocks < 1:
        raise CodeError(f"`grid(blocks={blocks!r})` needs an integer of at least 1.")
    grids = [(rows, blocks // rows) for rows in range(1, blocks + 1) if blocks % rows == 0]
    return min(grids, key=lambda cut: max(blocks + cut[1] - 1, 2 * blocks - cut[1]))


def _trigonometric(
    rows: int, inner: int, units: tuple[int, int], positions: "np.ndarray[tuple[int], np.dtype[np.intp]]"
) -> tuple[Table, Table, Table, Table]:
    row, col = trigonometric(rows, units[0], positions), trigonometric(inner, units[1], positions)
    return row, col, col, row


def _monomial(
    rows: int, inner: int, units: tuple[int, int], positions: "np.ndarray[tuple[int], np.dtype[np.intp]]"
) -> tuple[Table, Table, Table, Table]:
    points = cosine(2 * positions + 1, 2 * len(positions))
    row = points ** (units[0] * np.arange(rows))[:, None]
    col = points ** (units[1] * np.arange(inner))[:, None]
    # products need the powers in reverse, so that wanted terms meet
    return row, col, col[::-1].copy(), row[::-1].copy()
