from scipy import stats

from anyk.faults import Draw, SlowNodes

LEVEL = 1e-3


def slow(model, seed, round, workers):
    return [model.fate(Draw(seed, round, rank)).slowdown > 1 for rank in range(workers)]


def test_the_same_ranks_are_slow_in_every_round():
    model = SlowNodes(fraction=0.25, factor=2.5)
    assert all(slow(model, 5, round, 64) == slow(model, 5, 0, 64) for round in range(20))


def test_other_seeds_have_other_slow_ranks():
    model = SlowNodes(fraction=0.25)
    assert len({tuple(slow(model, seed, 0, 64)) for seed in range(20)}) == 20


def test_adding_workers_changes_nobodys_luck():
    model = SlowNodes(fraction=0.25)
    assert slow(model, 5, 0, 64)[:16] == slow(model, 5, 0, 16)


def test_about_the_asked_fraction_is_slow():
    count = sum(slow(SlowNodes(fraction=1 / 16), 5, 0, 2000))
    low, high = stats.binom.interval(1 - LEVEL, 2000, 1 / 16)

    assert low <= count <= high


def test_named_ranks_are_slow_and_no_others():
    assert slow(SlowNodes(ranks=range(2, 4)), 5, 0, 6) == [False, False, True, True, False, False]


def test_a_slow_node_delays_nothing_it_only_works_slower():
    fate = SlowNodes(ranks=(1,), factor=3.0).fate(Draw(0, 0, 1))
    assert (fate.delay_seconds, fate.slowdown, fate.end) == (0.0, 3.0, "")
