from scipy import stats

from anyk.faults import Draw, GroupOutage

LEVEL = 1e-3


def test_a_group_is_lost_as_one():
    model = GroupOutage(size=4, probability=0.5)
    for round in range(50):
        ends = [model.fate(Draw(1, round, rank)).end for rank in range(16)]
        assert all(len(set(ends[first : first + 4])) == 1 for first in range(0, 16, 4))


def test_groups_are_lost_independently():
    model = GroupOutage(size=4, probability=0.3)
    lost = [[model.fate(Draw(1, round, rank)).end == "crash" for rank in (3, 4)] for round in range(1000)]
    both = sum(first and second for first, second in lost)
    low, high = stats.binom.interval(1 - LEVEL, 1000, 0.3**2)

    assert low <= both <= high


def test_an_outage_can_be_a_cut_link():
    fate = GroupOutage(size=4, probability=1.0, end="stop", after_seconds=0.5).fate(Draw(0, 0, 9))
    assert (fate.end, fate.delay_seconds) == ("stop", 0.5)
