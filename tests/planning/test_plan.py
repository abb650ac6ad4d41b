"""Plans: every candidate meets what was asked, the winner is the one it should be, and planning stays small."""

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import anyk
from anyk.errors import CodeError
from anyk.faults import Crash, ShiftedExponential, Trace
from anyk.planning import CostModel, front
from anyk.planning.verified import verified

COSTS = CostModel()
LARGE = ((20_000, 20_000), (20_000, 20_000))


def plan(shape_a, shape_b, **given):
    return anyk.plan(shape_a, shape_b, **{"costs": COSTS, **given})


def delays():
    return Trace(np.random.default_rng(0).lognormal(0, 0.3, (50, 40)).tolist())


# --- constraints ------------------------------------------------------------------------------------------------------


@settings(max_examples=50)
@given(
    sizes=st.tuples(*[st.integers(1, 3000)] * 3),
    workers=st.integers(1, 9),
    stragglers=st.integers(0, 3),
    wrong=st.integers(0, 2),
    model=st.sampled_from(["random", "adversarial"]),
    tolerance=st.sampled_from([None, 1e-3, 1e-10]),
    memory=st.sampled_from([None, 1e5, 1e7]),
    dtype=st.sampled_from(["float64", "float32"]),
    delays=st.sampled_from([None, "lambda", Crash(probability=0.05), ShiftedExponential()]),
    bandwidth=st.sampled_from([None, 1e8]),
)
def test_every_candidate_meets_what_was_asked(
    sizes, workers, stragglers, wrong, model, tolerance, memory, dtype, delays, bandwidth
):
    if stragglers >= workers or (dtype == "float32" and tolerance == 1e-10):
        return
    height, depth, width = sizes
    planned = plan(
        (height, depth),
        (depth, width),
        workers=workers,
        stragglers=stragglers,
        wrong=wrong,
        model=model,
        tolerance=tolerance,
        memory_per_worker=memory,
        dtype=dtype,
        delays=delays,
        bandwidth=bandwidth,
    )

    # equal up to six digits is equal: then the more exact one comes first
    assert all(one.seconds <= next.seconds * (1 + 1e-5) for one, next in pairwise(planned.candidates))
    assert planned.best is planned.candidates[0]
    assert any(not each.is_distributed for each in planned.candidates)
    for each in planned.candidates:
        assert np.isfinite(each.seconds)
        assert each.reason
        assert each.worst_error >= each.error * 0.999
        assert tolerance is None or each.error <= tolerance
        if not each.is_distributed:
            continue
        code = each.code
        assert code.workers <= workers
        assert code.workers - code.recovery_threshold >= stragglers
        assert each.correctable[model] >= wrong
        assert memory is None or each.memory <= memory
        assert code.is_exact or tolerance is not None
        cut = code.partition
        a, b, c = (
            block(shape)
            for block, shape in (
                (cut.left_block, (height, depth)),
                (cut.right_block, (depth, width)),
                (cut.result_block, (height, width)),
            )
        )
        size = code.coded_dtype(dtype).itemsize
        assert each.memory == size * (a[0] * a[1] + b[0] * b[1] + c[0] * c[1])
        assert each.operations >= 2 * a[0] * a[1] * b[1]


# --- who wins ---------------------------------------------------------------------------------------------------------


def test_small_products_stay_on_one_machine():
    planned = plan((200, 200), (200, 200), workers=8, stragglers=2)

    assert planned.best.family == "one machine"
    assert (planned.best.upload, planned.best.download) == (0, 0)
    assert "longer than doing it here" in planned.best.reason


def test_reliable_workers_need_no_code():
    assert plan(*LARGE, workers=16).best.family == "uncoded"


def test_spare_workers_are_better_used_by_a_code_than_by_copies():
    planned = plan(*LARGE, workers=16, stragglers=2)

    assert planned.best.code.recovery_threshold <= 14
    by_family = {each.family: each for each in reversed(planned.candidates)}
    assert by_family["replication"].seconds > 1.5 * planned.best.seconds
    assert "uncoded" not in by_family
    assert any("uncoded is out" in note for note in planned.notes)


def test_copies_win_where_work_is_nothing_and_combining_is_dear():
    """A slow master: a code's sums take longer than the work they save."""
    slow = replace(COSTS, coding_operations=1e8, machine_operations=1e9)
    planned = plan((4000, 4000), (4000, 4000), workers=8, stragglers=1, costs=slow)
    uncombined = [each for each in planned.candidates if each.family == "replication"]

    assert uncombined
    assert planned.best.seconds <= uncombined[0].seconds


def test_delays_alone_make_redundancy_worth_it():
    """Nobody asked for stragglers to be survived; the stalls of the measured model make it pay."""
    calm, stalling = (plan((8000, 8000), (8000, 8000), workers=18, delays=each) for each in (None, "lambda"))

    assert calm.best.family == "uncoded"
    assert stalling.best.code.recovery_threshold < stalling.best.code.workers
    uncoded = next(each for each in stalling.candidates if each.family == "uncoded")
    assert uncoded.late_seconds > 2 * stalling.best.late_seconds


def test_a_narrow_link_moves_the_choice_along_the_bridge():
    """The slower the link against the work, the more the inner dimension is cut, for it sends less in all."""
    wide, narrow = (plan(*LARGE, workers=40, stragglers=8, bandwidth=speed) for speed in (1e12, 1e9))

    assert narrow.best.code.partition.inner > wide.best.code.partition.inner
    assert narrow.best.traffic < wide.best.traffic


def test_a_tight_memory_is_kept():
    roomy = plan(*LARGE, workers=40, stragglers=8)
    limit = 0.8 * roomy.best.memory
    tight = plan(*LARGE, workers=40, stragglers=8, memory_per_worker=limit)

    assert all(each.memory <= limit for each in tight.candidates if each.is_distributed)
    assert tight.best.seconds >= roomy.best.seconds
    assert any("need more memory" in note for note in tight.notes)


def test_where_no_code_fits_one_machine_is_left_and_the_plan_says_why():
    planned = plan(*LARGE, workers=4, stragglers=2, wrong=2)
    assert [each.family for each in planned.candidates] == ["one machine"]
    assert any("no code on 4 workers stands 2 missing and 2 wrong" in note for note in planned.notes)

    planned = plan(*LARGE, workers=4, memory_per_worker=1e3)
    assert [each.family for each in planned.candidates] == ["one machine"]
    assert any("no code meets the limits" in note for note in planned.notes)


def test_a_tolerance_lets_fewer_answers_do():
    """MatDot is all that memory allows; approximate MatDot holds a finer cut with the same answers."""
    asked = {"workers": 8, "stragglers": 3, "memory_per_worker": 2.8e6}
    shapes = ((200, 3000), (3000, 200))
    exact, loose = plan(*shapes, **asked), plan(*shapes, **asked, tolerance=1e-2)
    approximate = [each for each in loose.candidates if not each.code.is_exact]

    assert all(each.code.is_exact for each in exact.candidates)
    assert approximate
    assert all(1e-15 < each.error <= 1e-2 for each in approximate)
    assert all(
        each.code.recovery_threshold < each.code.partition.products + each.code.partition.inner - 1
        for each in approximate
    )


def test_wrong_answers_cost_more_answers_in_the_adversarial_model():
    random, conspiring = (plan(*LARGE, workers=20, wrong=3, model=model) for model in ("random", "adversarial"))

    assert random.best.answers == random.best.code.recovery_threshold + 4
    assert conspiring.best.answers == conspiring.best.code.recovery_threshold + 6
    assert conspiring.best.seconds > random.best.seconds


def test_the_chosen_code_multiplies():
    planned = plan((300, 200), (200, 250), workers=7, stragglers=2, tolerance=1e-6)
    coded = next(each for each in planned.candidates if each.is_distributed and each.family != "replication")
    A, B = np.random.default_rng(0).standard_normal((300, 200)), np.random.default_rng(1).standard_normal((200, 250))

    product = anyk.matmul(A, B, coded.code, engine="inline")

    assert np.linalg.norm(product.value - A @ B) <= 1e-6 * np.linalg.norm(A @ B)


@pytest.mark.parametrize("tolerance", [1e-8, 1e-6, 1e-4])
@pytest.mark.parametrize(("workers", "stragglers", "depth"), [(8, 3, 3000), (12, 4, 3000), (30, 4, 900)])
def test_every_approximate_code_of_a_plan_multiplies_within_the_tolerance_from_random_answers(
    workers, stragglers, depth, tolerance
):
    planned = plan((120, depth), (depth, 120), workers=workers, stragglers=stragglers, tolerance=tolerance, local=False)
    A = np.random.default_rng(0).standard_normal((120, depth))
    B = np.random.default_rng(1).standard_normal((depth, 120))
    best = planned.best.code
    approximate = [each.code for each in planned.candidates if not each.code.is_exact]

    for code in [best, *approximate]:
        lost = Crash(ranks=tuple(np.random.default_rng(2).permutation(code.workers)[:stragglers].tolist()))
        with anyk.engines.open(f"simulated:{code.workers}", faults=lost) as ran:
            product = anyk.matmul(A, B, code, engine=ran)
        # one draw of answers: the expected error is a root mean square with a tail
        assert np.linalg.norm(product.value - A @ B) <= 20 * tolerance * np.linalg.norm(A @ B)


@pytest.mark.parametrize("spared", [1.0, 0.0])
def test_an_approximate_code_that_would_be_fastest_is_built_or_said_to_be_left_out(monkeypatch, spared):
    monkeypatch.setattr(front, "BUDGET_SECONDS", spared * front.BUDGET_SECONDS)
    asked = {"workers": 8, "stragglers": 3, "memory_per_worker": 2.8e6, "tolerance": 1e-2}
    planned = plan((200, 3000), (3000, 200), **asked)

    assert any(not each.code.is_exact for each in planned.candidates) == bool(spared)
    assert any("not built" in note for note in planned.notes) != bool(spared)


def test_a_quick_look_alone_recommends_only_with_a_margin(monkeypatch):
    """Errors have tails: a few survivor sets that look well are no promise."""
    monkeypatch.setattr(front, "BUDGET_SECONDS", 0.5)
    planned = plan(*LARGE, workers=40, stragglers=8, wrong=2, tolerance=1e-3)
    approximate = [each for each in planned.candidates if not each.code.is_exact]

    assert all(each.error <= 1e-3 / front._TAIL for each in approximate)
    assert any("to be sure" in note for note in planned.notes)


# --- how it reads -----------------------------------------------------------------------------------------------------


def test_a_plan_prints_itself_with_the_bridge_and_a_recommendation():
    planned = plan(*LARGE, workers=40, stragglers=8, wrong=2, bandwidth=1e9)
    text = str(planned)

    assert text.splitlines()[0].startswith("20000 x 20000 times 20000 x 20000 in float64, 40 workers, 8 may be missing")
    assert "From Polynomial to MatDot" in text
    assert f"Use {planned.best.name}: " in text
    assert "one machine takes" in planned.best.reason
    for each in planned.candidates:
        assert each.short_name in text
    assert repr(planned).startswith("Plan('")
    assert "2/1" in text or "3/2" in text


def test_a_plan_is_json():
    planned = plan(*LARGE, workers=12, delays=Crash(probability=0.2), tolerance=1e-6)
    told = json.loads(json.dumps(planned.as_dict(), allow_nan=False))

    assert told["best"] == told["candidates"][0]
    assert told["request"]["workers"] == 12
    assert {"encode", "work", "decode"} <= set(told["best"]["phases"])
    uncoded = next(each for each in told["candidates"] if each["family"] == "uncoded")
    assert uncoded["late_seconds"] is None, "more than one product in a hundred is lost"
    assert 0.5 < uncoded["lost"] <= 1


def test_the_same_question_has_the_same_answer():
    first, second = (str(plan(*LARGE, workers=18, stragglers=2, delays="lambda")) for _ in range(2))

    assert first == second


# --- how much it takes ------------------------------------------------------------------------------------------------


def counted_plan(monkeypatch, **given):
    """A plan; how many drafts were counted, waited for, and built."""
    waits, built = [], []
    monkeypatch.setattr(
        front.Waiting, "of", lambda self, task, of=front.Waiting.of: waits.append(task) or of(self, task)
    )
    monkeypatch.setattr(front, "verified", lambda *row, **how: built.append(row) or verified(*row, **how))
    planned = plan(*LARGE, **given)
    return planned.considered, len(waits), len(built)


def test_the_largest_case_builds_few_codes(monkeypatch):
    considered, waits, built = counted_plan(
        monkeypatch,
        workers=40,
        stragglers=8,
        wrong=2,
        tolerance=1e-6,
        memory_per_worker=2e9,
        delays=delays(),
        bandwidth=1e9,
    )

    assert considered > 2000
    assert waits <= 56 + 16 + 3 * len(front.KINDS)
    assert built <= 30


def test_of_hundreds_of_workers_fewer_codes_are_built(monkeypatch):
    considered, waits, built = counted_plan(monkeypatch, workers=300, stragglers=20)

    assert considered > 20_000
    assert waits <= 56 + 16 + 3 * len(front.KINDS)
    assert built <= 14


def test_this_machine_can_be_left_out_of_the_question():
    planned = plan((200, 200), (200, 200), workers=8, stragglers=2, local=False)
    assert all(each.is_distributed for each in planned.candidates)

    with pytest.raises(CodeError, match="no code on 4 workers stands 2 missing and 2 wrong"):
        plan(*LARGE, workers=4, stragglers=2, wrong=2, local=False)


def test_a_placed_matrix_makes_products_with_a_vector_worth_sending_out():
    shapes, asked = ((40_000, 40_000), (40_000, 1)), {"workers": 20, "stragglers": 2, "bandwidth": 1e9}

    assert plan(*shapes, **asked).best.family == "one machine"
    assert plan(*shapes, **asked, placed=True).best.family == "mds"
