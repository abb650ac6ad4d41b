"""What the planner counts without building anything is what the codes themselves say."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyk.planning import CostModel, Request
from anyk.planning.bridge import bridge
from anyk.planning.drafts import KINDS, enumerated
from anyk.planning.prediction import counted

COSTS = CostModel()


def rows_of(drafts):
    columns = (drafts.kind, drafts.rows, drafts.inner, drafts.cols, drafts.needed, drafts.workers, drafts.copies)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def question(**given):
    return Request(**{"shape_a": (24, 36), "shape_b": (36, 18), "workers": 9, "tolerance": 1e-3, **given})


@given(
    workers=st.integers(1, 30),
    stragglers=st.integers(0, 4),
    wrong=st.integers(0, 2),
    model=st.sampled_from(["random", "adversarial"]),
)
def test_every_draft_stands_the_stragglers_and_the_wrong_answers(workers, stragglers, wrong, model):
    if stragglers >= workers:
        return
    request = question(workers=workers, stragglers=stragglers, wrong=wrong, model=model)

    for kind, m, n, p, needed, tasks, copies in rows_of(enumerated(request)):
        assert tasks <= workers
        assert max(m, n, p) <= 36
        if KINDS[kind].name == "uncoded":
            assert tasks == m * n * p
            assert stragglers == wrong == 0
        elif KINDS[kind].name == "replication":
            assert tasks == copies * m * n * p
            assert copies > stragglers + request.extra
        else:
            assert needed + request.extra + stragglers <= tasks


def test_thresholds_are_those_of_the_codes():
    """One code of every kind and partition."""
    drafts = enumerated(question(workers=8))
    seen = set()
    for kind, m, n, p, needed, tasks, _ in rows_of(drafts):
        if (kind, m, n, p) in seen or (KINDS[kind].is_approximate and m * n * p > 4):
            continue
        seen.add((kind, m, n, p))
        code = KINDS[kind].build(m, n, p, needed, tasks, "float64")
        assert (code.partition.rows, code.partition.inner, code.partition.cols) == (m, n, p)
        assert code.workers == tasks
        assert code.is_complex == KINDS[kind].is_complex
        if KINDS[kind].name == "replication":
            assert code.recovery_threshold == tasks - tasks // (m * n * p) + 1
        else:
            assert code.recovery_threshold == needed
    kinds = {KINDS[kind].label for kind, *_ in seen}
    assert {"uncoded", "replication", "mds", "polynomial (chebyshev)", "matdot (unit_circle)", "polydot"} <= kinds
    assert {
        "generalized_polydot",
        "random_khatri_rao",
        "approximate_matdot",
        "approximate_polydot (chebyshev)",
    } <= kinds


@pytest.mark.parametrize("dtype", ["float64", "float32", "complex128"])
def test_memory_and_traffic_are_those_of_the_blocks(dtype):
    request = question(dtype=dtype, workers=6, bandwidth=1e6)
    drafts = enumerated(request)
    counts = counted(drafts, request, COSTS)
    A, B = np.ones((24, 36), dtype), np.ones((36, 18), dtype)
    checked = set()
    for row, (kind, m, n, p, needed, tasks, _) in enumerate(rows_of(drafts)):
        if KINDS[kind].is_approximate or kind in checked:
            continue
        checked.add(kind)
        left, right = KINDS[kind].build(m, n, p, needed, tasks, dtype).encode(A, B)
        answer = left[0] @ right[0]
        assert counts.memory[row] == left[0].nbytes + right[0].nbytes + answer.nbytes
        assert counts.upload[row] == sum(block.nbytes for block in (*left, *right))
        assert counts.download[row] == pytest.approx(counts.awaited[row] * answer.nbytes)
        assert counts.send_seconds[row] * 1e6 == pytest.approx(left[0].nbytes + right[0].nbytes)
    assert len(checked) >= 10


def test_a_complex_code_for_real_matrices_pays_its_true_price():
    request = question(workers=6)
    drafts = enumerated(request)
    counts = counted(drafts, request, COSTS)
    by_kind = {
        (KINDS[kind].name, KINDS[kind].basis): row
        for row, (kind, m, n, p, _, tasks, _) in enumerate(rows_of(drafts))
        if (m, n, p, tasks) == (2, 1, 2, 6)
    }
    real, twice = by_kind["polynomial", "trigonometric"], by_kind["polynomial", "unit_circle"]

    assert counts.memory[twice] == 2 * counts.memory[real]
    assert counts.upload[twice] == 2 * counts.upload[real]
    assert counts.download[twice] == 2 * counts.download[real]
    assert counts.operations[twice] == 4 * counts.operations[real]

    of_complex = question(workers=6, dtype="complex128")
    same = counted(drafts, of_complex, COSTS)
    assert same.memory[twice] == same.memory[real]
    assert same.operations[twice] == same.operations[real] == 4 * counts.operations[real]


def test_copies_are_awaited_until_every_product_has_one():
    """Against as many answers as it takes in shuffled order."""
    request = question(workers=12)
    drafts = enumerated(request)
    counts, rng = counted(drafts, request, COSTS), np.random.default_rng(0)
    seen = 0
    for row, (kind, m, n, p, needed, tasks, _) in enumerate(rows_of(drafts)):
        if KINDS[kind].name != "replication" or (m, n, p) not in [(2, 1, 2), (1, 3, 1), (1, 1, 1), (3, 1, 2)]:
            continue
        seen += 1
        orders = rng.permuted(np.tile(np.arange(tasks) % needed, (4000, 1)), axis=1)
        firsts = np.array([[(order == product).argmax() for product in range(needed)] for order in orders])
        took = firsts.max(axis=1) + 1
        assert counts.awaited[row] == pytest.approx(took.mean(), abs=5 * took.std() / 4000**0.5 + 1e-9)
    assert seen >= 6


def test_the_bridge_leads_from_polynomial_to_matdot():
    crossings = bridge(question(workers=30, stragglers=2), COSTS)

    assert [crossings[0].family, crossings[-1].family] == ["polynomial", "matdot"]
    assert {each.rows * each.inner * each.cols for each in crossings} == {12}
    assert [each.needed for each in crossings] == [12 + each.inner - 1 for each in crossings]
    assert all(one.download < other.download for one, other in pairwise(crossings))
    assert all(each.fits for each in crossings)


def test_the_bridge_says_where_memory_ends():
    limit = np.median([each.memory for each in bridge(question(workers=30, stragglers=2), COSTS)])
    crossings = bridge(question(workers=30, stragglers=2, memory_per_worker=float(limit)), COSTS)

    assert [each.fits for each in crossings] == [each.memory <= limit for each in crossings]
    assert 0 < sum(each.fits for each in crossings) < len(crossings)


def test_no_bridge_where_nothing_can_be_awaited():
    assert bridge(question(workers=4, stragglers=2), COSTS) == ()


def test_a_placed_matrix_is_neither_encoded_nor_sent():
    here, there = question(workers=6, bandwidth=1e6), question(workers=6, bandwidth=1e6, placed=True)
    drafts = enumerated(here)
    all_of_it, only_b = counted(drafts, here, COSTS), counted(drafts, there, COSTS)
    a = (
        8
        * np.ceil(24 / drafts.rows)
        * np.ceil(36 / drafts.inner)
        * np.array([1 + k.is_complex for k in KINDS])[drafts.kind]
    )

    assert all_of_it.upload - only_b.upload == pytest.approx(drafts.workers * a)
    assert (only_b.encode_seconds < all_of_it.encode_seconds).all()
    np.testing.assert_array_equal(only_b.memory, all_of_it.memory)
    np.testing.assert_array_equal(only_b.operations, all_of_it.operations)
