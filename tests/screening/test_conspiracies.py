"""Errors with one cause, and workers who agree on a false codeword."""

import numpy as np
import pytest

import anyk
from anyk.screening import Evidence, draw_columns
from anyk.screening.collusion import candidates, draws_needed
from tests.screening.words import SIDE, clean, codes_of, exhaustive, some


def another_codeword(answers, other, wrong, rng):
    return {task: other[task] if task in wrong else answer for task, answer in answers.items()}


def one_direction(answers, other, wrong, rng):
    shared = rng.standard_normal((SIDE, SIDE))
    return {
        task: answer + (10 ** rng.uniform(-2, 3) * shared).astype(answer.dtype) if task in wrong else answer
        for task, answer in answers.items()
    }


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("conspire", [another_codeword, one_direction], ids=lambda conspire: conspire.__name__)
@pytest.mark.parametrize(
    ("workers", "threshold", "family"),
    [(*size, family) for size in ((8, 4), (16, 8)) for family in codes_of(*size)] + [(20, 10, "mds"), (40, 20, "mds")],
)
def test_half_as_many_as_there_are_spare_answers_are_named_whatever_they_say(
    workers, threshold, family, conspire, dtype
):
    rng = np.random.default_rng(0)
    code = codes_of(workers, threshold)[family] if workers < 20 else anyk.codes.mds(threshold, workers)
    answers, other = clean(code, rng, dtype), clean(code, rng, dtype)
    wrong = some(code, (workers - threshold) // 2, rng)

    located = anyk.locate(code, conspire(answers, other, wrong, rng), model="adversarial", rng=rng)

    assert (located.wrong, located.certified) == (wrong, True), located.reason


@pytest.mark.parametrize("family", codes_of(8, 4))
def test_more_are_declared(family):
    rng = np.random.default_rng(1)
    code = codes_of(8, 4)[family]
    answers, other = clean(code, rng), clean(code, rng)

    for conspire in (another_codeword, one_direction):
        located = anyk.locate(code, conspire(answers, other, some(code, 3, rng), rng), model="adversarial", rng=rng)
        assert (located.found, located.certified) == (False, False)
        assert "nobody can be named" in located.reason


def test_errors_with_one_cause_are_named_without_a_certificate_as_far_as_that_is_unique():
    rng = np.random.default_rng(2)
    code = anyk.codes.mds(6, 12)
    for _ in range(5):
        wrong = some(code, 3, rng)
        answers = one_direction(clean(code, rng), None, wrong, rng)

        located = anyk.locate(code, answers, rng=rng)

        assert (located.wrong, located.found, located.certified) == (wrong, True, False)
        assert "rank 1" in located.reason
        assert exhaustive(code, answers, 3, rng) == [wrong]


def test_more_errors_with_one_cause_than_are_unique_are_never_certified_nor_silently_wrong():
    rng = np.random.default_rng(3)
    code = anyk.codes.mds(6, 12)
    for _ in range(8):
        wrong = some(code, 5, rng)
        located = anyk.locate(code, one_direction(clean(code, rng), None, wrong, rng), rng=rng)

        assert not located.certified
        assert located.wrong == (wrong if located.found else ())


def test_two_errors_in_the_same_entry_are_named_though_they_depend_on_one_another():
    rng = np.random.default_rng(4)
    code = anyk.codes.mds(6, 12)
    answers = clean(code, rng)
    for task, row in ((1, 2), (4, 2), (5, 0), (6, 7), (9, 4)):
        answers[task][row, 3] += rng.standard_normal()

    located = anyk.locate(code, answers, rng=rng)

    assert (located.wrong, located.found, located.certified) == ((1, 4, 5, 6, 9), True, False)
    assert "rank 4" in located.reason


def test_the_locator_alone_knows_at_any_size():
    rng = np.random.default_rng(4)
    code = anyk.codes.mds(60, 120)
    answers, other = clean(code, rng), clean(code, rng)
    wrong = some(code, 30, rng)
    assert draws_needed(120, 60, 30) > 1e9
    evidence = Evidence.of(code, another_codeword(answers, other, wrong, rng), draw_columns(SIDE, 2, rng))

    first = next(candidates(evidence, 30, 0, rng))

    assert tuple(np.flatnonzero(~first).tolist()) == wrong
