"""The default rule: ridge least squares, rounding weighed against residual."""

from numpy.typing import DTypeLike

from anyk.code import Code
from anyk.decoding.base import Weights
from anyk.weights import product_error


def least_squares(code: Code, survivors: tuple[int, ...], dtype: DTypeLike) -> Weights:
    """Weights that minimize the expected error of the product, rounding included (see `anyk.weights`).

    Args:
        code: any code.
        survivors: distinct tasks, at least one.
        dtype: of the answers.
    """
    matrix, solution = code.solve(survivors, dtype)
    return Weights(survivors, matrix, float(solution.error(product_error(dtype))[0]), float(solution.amplification[0]))
