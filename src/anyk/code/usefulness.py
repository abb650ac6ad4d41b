"""A family refuses tables that cannot work, and names those that can."""

import numpy as np
from numpy.typing import DTypeLike

from anyk.code.value import WORST_USEFUL_ERROR, Code
from anyk.errors import CodeError


def refuse_if_useless(code: Code, call: str, dtype: DTypeLike, remedy: str) -> Code:
    """Return the code if it holds `WORST_USEFUL_ERROR` on random survivor sets; else say what to use instead.

    Args:
        code: an exact code.
        call: how the user called the family.
        dtype: the workers' precision.
        remedy: the family or argument that can.

    Raises:
        CodeError: the median expected error over random survivor sets of threshold size is larger.
    """
    error = float(np.median(code.errors(code.recovery_threshold, dtype, sets=24)))
    if error > WORST_USEFUL_ERROR:
        raise CodeError(
            f"`{call}` cannot hold a relative error of {WORST_USEFUL_ERROR:g} in {dtype}: {error:.1g} is expected from "
            f"{code.recovery_threshold} of {code.workers} answers. {remedy}"
        )
    return code
