"""From answers to weights: prepared once per survivor set, and remembered."""

from collections.abc import Iterable
from functools import lru_cache

import numpy as np
from numpy.typing import DTypeLike

from anyk.code import Code
from anyk.decoding.base import Weights
from anyk.decoding.fitted import fitted
from anyk.decoding.least_squares import least_squares

__all__ = ["Weights", "fitted", "least_squares", "prepare"]


def prepare(code: Code, survivors: Iterable[int], dtype: DTypeLike = "float64") -> Weights:
    """Weights of one survivor set, from memory if it was asked for lately.

    Args:
        code: any code.
        survivors: distinct tasks, in any order.
        dtype: of the answers.

    Returns:
        Weights with the survivors sorted.
    """
    return _prepared(code, tuple(sorted(survivors)), np.dtype(dtype))


@lru_cache(maxsize=128)
def _prepared(code: Code, survivors: tuple[int, ...], dtype: "np.dtype[np.generic]") -> Weights:
    return least_squares(code, survivors, dtype)
