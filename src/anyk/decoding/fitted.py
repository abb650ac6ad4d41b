"""Weights fitted to the product at hand: for approximate codes, whose error depends on the data."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anyk.code import Code
from anyk.decoding.base import Weights
from anyk.probes import Sample


def fitted(weights: Weights, code: Code, answers: Mapping[int, NDArray[Any]], sample: Sample) -> Weights:
    """Weights of the same survivors that also reproduce a sample of the true product.

    On data without structure they do as well as the code's own; on smooth or correlated data the error falls to a half.

    Args:
        weights: of the survivors, from the tables alone.
        code: they belong to.
        answers: at least the survivors' answers, by task.
        sample: of the product that was encoded.
    """
    shown = np.stack([sample.of(answers[task]) for task in weights.survivors], axis=1)
    dtype = next(iter(answers.values())).dtype
    return replace(weights, matrix=code.fit(weights.survivors, dtype, shown, sample.goals))
