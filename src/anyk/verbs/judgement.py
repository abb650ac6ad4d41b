"""Is a product as good as it should be? Refuse what is not a number, warn of what is less exact than expected."""

import sys
import warnings
from typing import Any

import numpy as np

from anyk.code import Code
from anyk.errors import PrecisionError, PrecisionWarning
from anyk.verbs.product import Product

#: What helps where answers were left out.
WAIT = "Wait for more answers (stop=anyk.everyone), use a wider dtype or more workers"


def judge(
    product: Product, code: Code, tolerance: float | None, *, scale: float = 1.0, remedy: str = WAIT, dtype: Any = None
) -> None:
    """Check a product's error; to be called by what a verb calls.

    Args:
        product: with its error, or without one.
        code: it was made with.
        tolerance: relative error asked for; None: what the code is designed for, or half the digits of the dtype.
        scale: the size of what was added up, relative to that of the product: so much may rounding be enlarged.
        remedy: what the caller can do.
        dtype: of the product, where it is no array of NumPy's.

    Raises:
        PrecisionError: the error is not finite.

    Warns:
        PrecisionWarning: the error is too large.
    """
    error = product.error
    if error is None:
        return
    dtype = product.value.dtype if dtype is None else dtype
    if not np.isfinite(error):
        raise PrecisionError(
            f"the product is not finite: an answer among tasks {list(product.survivors)} holds NaN or infinity, or the "
            f"entries overflow {dtype}. Compute in a wider dtype, or clean A and B."
        )
    usual = max(3 * code.design_error, float(np.sqrt(np.finfo(dtype).eps))) * max(1.0, scale)
    limit = usual if tolerance is None else tolerance
    if error > limit:
        warnings.warn(
            f"the product's {product.error_kind} relative error is {error:.1e}, above {limit:.1e}; {product.reason}. "
            f"{remedy}; where A B is much smaller than |A| |B|, cancellation alone explains it.",
            PrecisionWarning,
            stacklevel=_distance(),
        )


def _distance() -> int:
    """How many calls away from this function's caller the user's own line is."""
    frame, calls = sys._getframe(1), 1
    while frame.f_globals.get("__name__", "").partition(".")[0] == "anyk" and frame.f_back is not None:
        frame, calls = frame.f_back, calls + 1
    return calls
