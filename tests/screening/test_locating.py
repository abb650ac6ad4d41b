"""Wrong answers of every kind are named, or a failure is declared; nothing is silently wrong."""

import numpy as np
import pytest

import anyk
from tests.screening.words import (
    clean,
    codes_of,
    exhaustive,
    mixed_magnitude,
    one_entry,
    some,
    spoilt,
    whole_block,
)

SIZES = [(8, 4), (16, 8), (20, 10)]
DTYPES = ["float64", "float32"]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("workers", "threshold"), SIZES)
@pytest.mark.parametrize("spoil", [whole_block, mixed_magnitude], ids=lambda spoil: spoil.__name__)
def test_as_many_as_the_code_promises_are_named_and_one_more_is_declared(workers, threshold, dtype, spoil):
    rng = np.random.default_rng(0)
    code = anyk.codes.mds(threshold, workers)
    answers = clean(code, rng, dtype)

    for count in range(1, workers - threshold + 1):
        wrong = some(code, count, rng)
        located = anyk.locate(code, spoilt(answers, wrong, spoil, rng), rng=rng)
        if count < workers - threshold:
            assert (located.wrong, located.found, located.certified) == (wrong, True, True), located.reason
            assert located.false_agreement < 1e-12
        else:
            assert not located.found
            assert located.wrong == ()
            assert "contradict" in located.reason


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("family", codes_of(8, 4))
def test_every_family_names_a_wrong_entry(family, dtype):
    rng = np.random.default_rng(1)
    code = codes_of(8, 4)[family]
    answers = clean(code, rng, dtype)

    for count in (1, 2, 3):
        wrong = some(code, count, rng)
        assert anyk.locate(code, spoilt(answers, wrong, one_entry, rng), rng=rng).wrong == wrong


@pytest.mark.parametrize(
    ("name", "code"),
    {
        "matdot": anyk.codes.matdot(3, 9),
        "generalized polydot": anyk.codes.generalized_polydot(2, 2, 2, 13),
        "polydot": anyk.codes.polydot(2, 2, 1, 10),
        "monomial": anyk.codes.matdot(3, 9, basis="monomial"),
        "approximate": anyk.codes.approximate_matdot(4, 8),
        "approximate, nearly exact": anyk.codes.approximate_matdot(4, 9, results=5),
        "replication": anyk.codes.replication(2, 1, 2, 3),
    }.items(),
)
def test_every_code_with_redundancy_names_a_wrong_answer(name, code):
    rng = np.random.default_rng(2)
    wrong = some(code, 1, rng)

    located = anyk.locate(code, spoilt(clean(code, rng), wrong, whole_block, rng), rng=rng)

    assert (located.wrong, located.certified) == (wrong, True)


def test_the_pursuit_finds_what_the_exhaustive_search_finds():
    rng = np.random.default_rng(3)
    code = anyk.codes.mds(4, 8)
    for trial in range(12):
        spoil = (whole_block, one_entry, mixed_magnitude)[trial % 3]
        wrong = some(code, 1 + trial % 3, rng)
        answers = spoilt(clean(code, rng, DTYPES[trial % 2]), wrong, spoil, rng)

        assert [anyk.locate(code, answers, rng=rng).wrong] == exhaustive(code, answers, 3, rng) == [wrong]


def test_answers_may_be_missing_and_not_finite():
    rng = np.random.default_rng(4)
    code = anyk.codes.mds(4, 10)
    answers = clean(code, rng)
    del answers[3]
    answers[5][0, 0], answers[7][1, 1] = np.nan, np.inf
    answers[9] = whole_block(answers[9], rng)

    assert anyk.locate(code, answers, rng=rng).wrong == (5, 7, 9)


def test_a_huge_error_does_not_hide_a_small_one():
    rng = np.random.default_rng(5)
    code = anyk.codes.mds(4, 8)
    for dtype, huge in (("float64", 1e300), ("float32", 1e30)):
        answers = clean(code, rng, dtype)
        answers[1][2, 2] = huge
        answers[6] = answers[6] * answers[6].dtype.type(1.01)

        assert anyk.locate(code, answers, rng=rng).wrong == (1, 6)


def test_one_row_wrong_in_all_columns_takes_a_fingerprint_column_for_each():
    rng = np.random.default_rng(6)
    code = anyk.codes.mds(6, 12)
    answers = clean(code, rng)
    wrong = (0, 2, 5, 8, 11)
    for task in wrong:
        answers[task][3] += rng.standard_normal(answers[task].shape[1])

    assert anyk.locate(code, answers, rng=rng).wrong == wrong


def test_twins_who_err_in_the_same_entry_are_named_where_no_check_is_to_spare():
    rng = np.random.default_rng(14)
    code = anyk.codes.mds(6, 12)
    for dtype in DTYPES:
        answers = clean(code, rng, dtype)
        for task, row, column in ((1, 3, 4), (9, 3, 4), (2, 0, 0), (5, 7, 1), (6, 11, 15)):
            answers[task][row, column] += answers[task].dtype.type(rng.uniform(1, 2))

        located = anyk.locate(code, answers, rng=rng)

        assert (located.wrong, located.found, located.certified) == ((1, 2, 5, 6, 9), True, False)


def test_errors_in_many_rows_of_a_tall_answer_are_named():
    rng = np.random.default_rng(16)
    code = anyk.codes.mds(4, 9)
    answers = {task: answer.repeat(80, axis=0) for task, answer in clean(code, rng).items()}
    answers[0] = answers[0] + 1e6 * rng.standard_normal(answers[0].shape)
    for task, row, size in ((3, 77, 1e-3), (5, 1200, 1.0), (8, 600, 1e-9)):
        answers[task] = answers[task].copy()
        answers[task][row, 5] += size

    assert anyk.locate(code, answers, rng=rng).wrong == (0, 3, 5, 8)


def test_copies_vote():
    rng = np.random.default_rng(7)
    code = anyk.codes.replication(2, 1, 1, copies=3)
    answers = clean(code, rng)
    one_of_each = spoilt(answers, (0, 3), whole_block, rng)
    assert anyk.locate(code, one_of_each, rng=rng).found

    pairs = anyk.codes.replication(2, 1, 1, copies=2)
    located = anyk.locate(pairs, spoilt(clean(pairs, rng), (1,), whole_block, rng), rng=rng)
    assert not located.found


def test_without_spare_answers_nothing_is_vouched_for():
    code = anyk.codes.matdot(2, 5)
    answers = clean(code, np.random.default_rng(8))

    located = anyk.locate(code, {task: answers[task] for task in (0, 2, 4)})

    assert (located.found, located.certified, located.false_agreement) == (False, False, 1.0)
    assert "unchecked" in located.reason


def test_nobody_is_wrong_if_nobody_is():
    located = anyk.locate(anyk.codes.matdot(2, 6), clean(anyk.codes.matdot(2, 6), np.random.default_rng(9)))

    assert (located.wrong, located.found, located.certified) == ((), True, True)
    assert located.reason.startswith("all 6 answers agree")


@pytest.mark.parametrize(
    ("results", "model", "message"),
    [
        ({}, "random", "at least one answer"),
        ({0: np.eye(2), 9: np.eye(2)}, "random", "9 is no task"),
        ({0: np.eye(2), 1: np.eye(3)}, "random", "one shape"),
        ({0: np.eye(2), 1: np.array([["a", "b"]])}, "random", "takes numbers"),
        ({0: np.eye(2), 1: np.eye(2)}, "byzantine", "model='byzantine' is unknown"),
    ],
)
def test_what_cannot_be_screened_is_refused(results, model, message):
    with pytest.raises(anyk.InputError, match=message):
        anyk.locate(anyk.codes.matdot(2, 5), results, model=model)


# --- decode ---------------------------------------------------------------------------------------------------------


def test_decode_leaves_wrong_answers_out():
    rng = np.random.default_rng(10)
    code = anyk.codes.matdot(2, 7)
    answers = clean(code, rng)
    right = anyk.decode(code, answers)

    product = anyk.decode(code, spoilt(answers, (2, 6), whole_block, rng), wrong=2, rng=rng)

    assert (product.wrong, product.survivors) == ((2, 6), (0, 1, 3, 4, 5))
    assert np.linalg.norm(product.value - right.value) < 1e-12 * np.linalg.norm(right.value)
    assert "tasks 2, 6 are wrong" in product.reason


def test_decode_refuses_what_it_cannot_tell():
    rng = np.random.default_rng(11)
    code = anyk.codes.matdot(2, 6)
    answers = spoilt(clean(code, rng), (0, 1, 2), whole_block, rng)

    with pytest.raises(anyk.PrecisionError, match="nobody can be named"):
        anyk.decode(code, answers, wrong=2, rng=rng)
    with pytest.raises(anyk.PrecisionError, match="needs 7 answers of `matdot`, and 6 came"):
        anyk.decode(code, answers, wrong=2, model="adversarial")
    with pytest.raises(anyk.InputError, match="cannot be negative"):
        anyk.decode(code, answers, wrong=-1)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("dropped", [(), (1, 3, 6)], ids=["all answers", "one to spare"])
def test_errors_are_found_or_no_larger_than_what_is_said_to_be_unseen(dropped, dtype):
    rng = np.random.default_rng(12)
    code = anyk.codes.mds(4, 8)
    answers = {task: answer for task, answer in clean(code, rng, dtype).items() if task not in dropped}
    outcomes = set()

    for size in np.geomspace(1e-15 if dtype == "float64" else 1e-7, 1.0, 60):
        for task in answers:
            wrong = answers | {task: answers[task] * answers[task].dtype.type(1 + size)}
            located = anyk.locate(code, wrong, rng=rng)
            outcomes.add("seen" if located.wrong or not located.found else "unseen")
            assert located.wrong in ((), (task,))
            # relative to the usual answer, and no two are of one size
            assert located.wrong or not located.found or 1.5 * located.unseen > size

    assert outcomes == {"seen", "unseen"}
    assert anyk.locate(code, answers, rng=rng).unseen < (1e-13 if dtype == "float64" else 1e-4)


def test_answers_whose_errors_would_not_show_are_not_vouched_for():
    rng = np.random.default_rng(13)
    code = anyk.codes.mds(4, 8)
    given = clean(code, rng)

    assert anyk.locate(code, given, noise=0.1, rng=rng).found
    located = anyk.locate(code, given, noise=1.0, rng=rng)
    assert (located.found, located.unseen) == (False, np.inf)
