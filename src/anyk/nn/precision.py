"""In which precision answers are combined, and whether they decode in it."""

import torch
from torch import Tensor

from anyk.code import Code
from anyk.decoding import prepare
from anyk.weights import product_error

#: In coarse precision, decoding may lose this factor to rounding.
_LOSS = 10


def exact(numbers: Tensor) -> Tensor:
    """In float32 at least: what is compared must not be rounded once more."""
    return numbers if numbers.dtype in (torch.float32, torch.float64) else numbers.float()


def combined_in(numbers: Tensor) -> str:
    """The precision in which answers are combined."""
    return "float64" if numbers.dtype == torch.float64 else "float32"


def rounding(dtype: torch.dtype) -> float:
    """Relative error of one product."""
    return product_error(str(dtype).removeprefix("torch."))


def decodes(code: Code, tasks: list[int], answers: Tensor) -> bool:
    """These tasks' answers give the product with an error that is of use."""
    own, weights = rounding(answers.dtype), prepare(code, tasks, combined_in(answers))
    error = max(weights.expected_error, own * weights.noise_amplification)
    return error <= max(code.decoding_limit(len(tasks), combined_in(answers)), _LOSS * own)
