"""Row and column MDS codes: the preliminary strategy of the papers, for comparison."""

import numpy as np
from numpy.random import Generator

from anyk.code import Code
from anyk.errors import CodeError
from anyk.nn.codes.base import Stage, Table, TrainingCode
from anyk.partition import Partition


def product_mds(rows: int, inner: int, nodes: int, *, rng: Generator | int | None = 0) -> TrainingCode:
    """Product MDS code: parity rows for the forward product, parity columns for the backward one.

    The m x n blocks are extended by r parity rows and r parity columns (no corner). Going forward each row of nodes
    adds its results up and the m + r sums are decoded; going back it is the columns. One wrong node spoils its whole
    row: r - 1 wrong ones are corrected at each product (independent errors), whatever the size of the grid.

    Args:
        rows: blocks m along the layer's outputs; at least 1.
        inner: blocks n along its inputs; at least 1.
        nodes: mn + r (m + n) for some r of at least 1.
        rng: of the parity coefficients, standard normal; a generator or a seed.

    Raises:
        CodeError: a number of nodes that is not of this form.

    Reference:
        Dutta et al., arXiv 1903.01042, the strategy of its experiments.

    >>> code = product_mds(2, 2, nodes=12)
    >>> code.forward.code.workers, code.tolerance().forward
    (4, 1)
    """
    parity, rest = divmod(nodes - rows * inner, rows + inner)
    if parity < 1 or rest:
        raise CodeError(
            f"`product_mds(rows={rows}, inner={inner}, nodes={nodes})` needs {rows * inner} + {rows + inner} r nodes, "
            f"r = 1, 2, … Use {rows * inner + (rows + inner) * max(1, parity)} nodes."
        )
    rng = np.random.default_rng(rng)
    row, col = (_systematic(size, parity, rng) for size in (rows, inner))
    places = [(i, j) for i in range(rows + parity) for j in range(inner + parity) if i < rows or j < inner]
    across, down = (np.array(each) for each in zip(*places, strict=True))
    forward = _stage(row, across, down, inner)
    backward = _stage(col, down, across, rows)
    stored = nodes - 2 * parity
    reference = "arXiv 1903.01042, product MDS"
    return TrainingCode("product_mds", row[:, across], col[:, down], stored, forward, backward, None, reference)


def _systematic(size: int, parity: int, rng: Generator) -> Table:
    return np.concatenate([np.eye(size), rng.standard_normal((size, parity))], axis=1)


def _stage(generator: Table, line: "np.ndarray[tuple[int], np.dtype[np.intp]]", place: Table, width: int) -> Stage:
    """Each line's nodes add up what they make of the uncoded inputs; the sums are a codeword of the generator."""
    count = generator.shape[1]
    code = Code(
        "product_mds", Partition(len(generator), 1, 1), generator[:, None], np.ones((1, 1, count)), len(generator)
    )
    inputs = np.eye(width)[:, np.minimum(place, width - 1)] * (place < width)
    members = tuple(tuple(np.flatnonzero((line == each) & (place < width)).tolist()) for each in range(count))
    return Stage(code, inputs, members)
