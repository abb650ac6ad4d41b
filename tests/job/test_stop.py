"""Stop rules, asked about one progress at a time."""

import pytest

from anyk.errors import InputError
from anyk.job import Progress, deadline, everyone, first_threshold, until
from tests.job.toys import AnyOf, OneOfEachPair


def progress(received=(), pending=(), elapsed=0.0, decodability=None, threshold=3, **more):
    decodability = decodability or AnyOf(threshold)
    return Progress(tuple(received), frozenset(pending), elapsed, decodability, threshold, **more)


def test_first_threshold_is_ready_with_the_threshold():
    assert not first_threshold()(progress([0, 1], [2, 3])).ready

    assert first_threshold()(progress([0, 1, 3], [2])).ready


def test_first_threshold_asks_the_tables_below_the_threshold():
    replication = {"decodability": OneOfEachPair(2), "threshold": 3}

    assert first_threshold()(progress([0, 2], [1, 3], **replication)).ready
    assert not first_threshold()(progress([0, 1], [2, 3], **replication)).ready


def test_first_threshold_does_not_ask_below_the_fewest():
    verdict = first_threshold()(progress([0, 1], (), decodability=object(), threshold=5, fewest=3))

    assert not verdict.ready


def test_a_badly_conditioned_set_does_not_decode_though_its_count_suffices():
    class AllButTheFirstThree(AnyOf):
        def sufficient(self, tasks):
            return super().sufficient(tasks) and tasks != (0, 1, 2)

    rule, tables = first_threshold(), AllButTheFirstThree(3)
    assert not rule(progress([0, 1, 2], [3], decodability=tables, threshold=3)).ready

    assert rule(progress([0, 1, 2, 3], (), decodability=tables, threshold=3)).ready


def test_extra_answers_are_awaited_and_wrong_ones_count_as_having_come():
    rule = first_threshold(extra=2)
    assert not rule(progress([0, 1, 2, 3], [4, 5])).ready
    assert rule(progress([0, 1, 2, 3, 4], [5])).ready

    assert rule(progress([0, 1, 2], [5], wrong=frozenset([3, 4]))).ready


def test_rules_give_up_when_too_little_can_come():
    lost = progress([0], [1])

    assert [rule(lost).give_up for rule in (first_threshold(), until(1e-9), everyone, deadline(1.0))] == [
        True,
        True,
        True,
        False,
    ]


def test_answers_that_may_be_computed_again_can_still_come():
    assert not first_threshold()(progress([0], [1], spare=frozenset([2]), wrong=frozenset([2]))).give_up


def test_until_goes_by_the_expected_error_and_then_by_the_measured_one():
    rule = until(0.4)
    assert not rule(progress([0], [1, 2])).ready
    assert rule(progress([0, 1], [2])).ready

    assert not rule(progress([0, 1], [2], measured=0.5)).ready


def test_until_does_not_give_up_on_a_tolerance_that_too_few_answers_can_meet():
    assert not until(0.4)(progress([0], [1])).give_up


def test_deadline_takes_what_decodes_at_once_and_what_is_there_in_time():
    rule = deadline(2.0)
    early = rule(progress([0], [1, 2], elapsed=1.0))
    assert (early.ready, early.wake_at, early.give_up) == (False, 2.0, False)

    assert rule(progress([0, 1, 2], elapsed=1.0)).ready
    assert rule(progress([0], [1, 2], elapsed=2.0)).ready


def test_deadline_without_any_answer_gives_up():
    assert deadline(2.0)(progress([], [0, 1, 2], elapsed=2.0)).give_up


def test_deadline_does_not_wait_for_nothing():
    assert deadline(2.0)(progress([0], [], elapsed=0.5)).ready


def test_deadline_takes_place_no_later_than_the_timeout():
    assert deadline(5.0)(progress([0], [1, 2], elapsed=1.0, timeout=1.0)).ready


def test_everyone_waits_until_nothing_is_pending():
    assert not everyone(progress([0, 1, 2], [3])).ready

    assert everyone(progress([0, 1, 2])).ready


@pytest.mark.parametrize(
    "make",
    [
        lambda: first_threshold(extra=-1),
        lambda: until(0.0),
        lambda: until(float("nan")),
        lambda: deadline(-1.0),
        lambda: deadline(float("nan")),
    ],
)
def test_a_rule_that_makes_no_sense_cannot_be_made(make):
    with pytest.raises(InputError, match="`"):
        make()


def test_a_rule_prints_as_it_was_written():
    assert [repr(rule) for rule in (first_threshold(extra=2), until(1e-9), deadline(3))] == [
        "first_threshold(extra=2)",
        "until(tolerance=1e-09)",
        "deadline(seconds=3)",
    ]
