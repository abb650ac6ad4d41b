"""A matrix is placed on the workers: encoded once, multiplied many times."""

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike

from anyk.code import Code
from anyk.engines.base import Engine
from anyk.screening import Model
from anyk.verbs.coded_matrix import CodedMatrix
from anyk.verbs.operands import finite_matrix
from anyk.verbs.screen import Kind, Screening


def place(
    A: ArrayLike,
    code: Code,
    *,
    wrong: int = 0,
    screen: Kind | None = None,
    model: Model = "random",
    engine: str | Engine | None = None,
    check_finite: bool = True,
    rng: Generator | int | None = None,
) -> CodedMatrix:
    """Encode a matrix once, straight into the workers' memory, to multiply it many times.

    Args:
        A: matrix (height, depth); floating and complex dtypes are kept, integers become float64. It is not kept.
            Sparse matrices (SciPy's, and arrays of the ``sparse`` package) are encoded as sums of sparse blocks, and
            never made dense; what they are multiplied with is dense.
        code: how to encode; codes with ``cols=1`` waste nothing on vectors (`mds`, `matdot`, `generalized_polydot`).
        wrong: how many answers of each product may be wrong without notice, whether the worker or its block is at
            fault. So many more are awaited, the wrong ones thrown out, and blocks that changed computed anew.
        screen: how wrong answers are found: ``"checked"``: each one through secret vectors taken from A before it was
            placed; ``"syndrome"``: from the answers alone, as `locate`; ``"both"``. Default: ``"checked"`` where
            ``wrong`` is given, for the vectors are here though A is gone; else nothing.
        model: what wrong answers may be like, for ``"syndrome"``: ``"random"`` or ``"adversarial"``.
        engine: as for `matmul`; an engine named here is closed with the matrix.
        check_finite: refuse NaN and infinite entries, of A and of what it is multiplied with.
        rng: generator or seed of the signs that measure each product, and of the vectors that check it.

    Returns:
        The matrix on the workers; close it, or use it in a ``with`` statement.

    Raises:
        InputError: not a matrix of finite numbers, or arguments out of range.
        ClusterError: the engine could not start, or its memory is full.

    >>> import numpy as np, anyk
    >>> with anyk.place(np.eye(4), anyk.codes.mds(2, 3), engine="inline") as coded:
    ...     (coded @ np.arange(4.0)).round(12).tolist()
    [0.0, 1.0, 2.0, 3.0]
    """
    matrix = finite_matrix("place", "A", A, check_finite=check_finite)
    asked = Screening.of("place", code, wrong, screen, model)
    return CodedMatrix(matrix, code, engine, np.random.default_rng(rng), check_finite=check_finite, asked=asked)
