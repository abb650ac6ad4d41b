"""Words to screen: the answers of a code, some of them spoilt; and the exhaustive search as the oracle."""

from itertools import combinations

import numpy as np

import anyk
from anyk.screening import Evidence, columns_for, draw_columns

SIDE = 16


def clean(code, rng, dtype="float64", side=SIDE):
    """All answers of one product of random matrices."""
    cut = code.partition
    a = rng.standard_normal((cut.rows * side, cut.inner * side)).astype(dtype)
    b = rng.standard_normal((cut.inner * side, cut.cols * side)).astype(dtype)
    left, right = code.encode(a, b)
    return {task: x @ y for task, (x, y) in enumerate(zip(left, right, strict=True))}


def whole_block(answer, rng):
    return answer + rng.standard_normal(answer.shape).astype(answer.dtype) * np.linalg.norm(answer) / SIDE


def mixed_magnitude(answer, rng):
    size = answer.dtype.type(10.0 ** rng.uniform(-3, 6))
    return answer + size * rng.standard_normal(answer.shape).astype(answer.dtype)


def one_entry(answer, rng):
    wrong = answer.copy()
    wrong[tuple(rng.integers(0, answer.shape))] += answer.dtype.type(10.0 ** rng.uniform(0, 3))
    return wrong


def spoilt(answers, tasks, spoil, rng):
    return {task: spoil(answer, rng) if task in tasks else answer for task, answer in answers.items()}


def some(code, count, rng):
    return tuple(sorted(rng.permutation(code.workers)[:count].tolist()))


def exhaustive(code, answers, most, rng):
    """All smallest sets of wrong answers, up to ``most``, that leave the rest in agreement."""
    width = next(iter(answers.values())).shape[1]
    evidence = Evidence.of(code, answers, draw_columns(width, columns_for(code.workers), rng))
    for count in range(most + 1):
        found = [wrong for wrong in combinations(range(len(answers)), count) if _agree(evidence, wrong)]
        if found:
            return [tuple(evidence.tasks[[*wrong]].tolist()) for wrong in found]
    return []


def _agree(evidence, wrong):
    believed = evidence.finite.copy()
    believed[[*wrong]] = False
    seen = evidence.syndrome(believed)
    return len(seen.words) > 0 and seen.agrees


def codes_of(workers, threshold):
    """One code of every family that has one of this size, exact ones."""
    return {
        "mds": anyk.codes.mds(threshold, workers),
        "khatri-rao": anyk.codes.random_khatri_rao(threshold, 1, workers, rng=1),
        "chebyshev": anyk.codes.polynomial(2, threshold // 2, workers, basis="chebyshev"),
        "unit circle": anyk.codes.polynomial(2, threshold // 2, workers, basis="unit_circle"),
    }
