import pytest
from scipy import stats

from anyk.faults import Crash, Draw, Fate, Stop

LEVEL = 1e-3
BOTH = pytest.mark.parametrize(("model", "end"), [(Crash, "crash"), (Stop, "stop")])


@BOTH
def test_named_ranks_are_hit_in_every_round_and_others_never(model, end):
    ends = [[model(ranks=[1, 3]).fate(Draw(0, round, rank)).end for rank in range(5)] for round in range(4)]
    assert ends == [["", end, "", end, ""]] * 4


@BOTH
def test_named_rounds_limit_both_ranks_and_chance(model, end):
    always = model(probability=1.0, rounds=(2,))
    assert [always.fate(Draw(0, round, 0)).end for round in range(4)] == ["", "", end, ""]
    named = model(ranks=(0,), rounds=range(1, 3))
    assert [named.fate(Draw(0, round, 0)).end for round in range(4)] == ["", end, end, ""]


@BOTH
def test_chance_hits_each_piece_of_work_alone(model, end):
    hits = sum(model(probability=0.02).fate(Draw(1, *divmod(draw, 50))).end == end for draw in range(4000))
    low, high = stats.binom.interval(1 - LEVEL, 4000, 0.02)

    assert low <= hits <= high


@BOTH
def test_the_end_comes_after_the_asked_time_and_the_spared_have_no_delay(model, end):
    late = model(ranks=(0,), after_seconds=1.5)
    assert late.fate(Draw(0, 0, 0)) == Fate(1.5, end)
    assert late.fate(Draw(0, 0, 1)) == Fate()


@BOTH
def test_without_ranks_or_probability_nothing_happens(model, end):
    assert all(model().fate(Draw(0, round, rank)) == Fate() for round in range(5) for rank in range(5))
