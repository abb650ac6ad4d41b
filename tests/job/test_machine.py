"""Races, told as lists of events."""

import pytest

from anyk.errors import InputError
from anyk.job import State, Verdict, deadline, everyone, first_threshold, until
from anyk.job.messages import (
    Cancel,
    Compute,
    Decode,
    Decoded,
    GiveUp,
    Joined,
    Left,
    Lost,
    Result,
    Suspected,
    WakeAt,
    Woke,
)
from tests.job.toys import OneOfEachPair, a_job, started, tell


def answers(*tasks, at=1.0):
    return [Result(task, 0, at) for task in tasks]


def test_every_task_starts_at_home():
    assert a_job(tasks=5, workers=3).start(0.0) == [Compute(task, task % 3, 0) for task in range(5)]


def test_the_fastest_answers_are_decoded_and_the_rest_is_cancelled():
    job = started(tasks=4, threshold=3)
    assert tell(job, *answers(3, 0)) == []
    assert tell(job, *answers(2)) == [Decode((0, 2, 3))]

    assert tell(job, Decoded(2.0, error=1e-15)) == [Cancel(1, 1, 0)]
    assert (job.state, job.used, job.reason) == (State.DONE, (0, 2, 3), "3 answers decode")


def test_an_answer_while_decoding_is_kept_and_not_cancelled():
    job = started(tasks=4, threshold=3)

    assert tell(job, *answers(0, 1, 2, 3), Decoded(2.0)) == []
    assert (job.used, job.received) == ((0, 1, 2), (0, 1, 2, 3))


def test_an_answer_after_the_end_is_late():
    job = started(tasks=4, threshold=3)
    late = Result(3, 0, 3.0)

    assert tell(job, *answers(0, 1, 2), Decoded(2.0), late) == []
    assert job.late == [late]
    assert job.state is State.DONE


def test_the_same_answer_twice_counts_once():
    job = started(tasks=4, threshold=3)

    tell(job, *answers(0, 0, 1))
    assert (job.received, len(job.late)) == ((0, 1), 1)


def test_a_lost_task_goes_to_the_worker_with_least_to_do():
    job = started(tasks=4, threshold=3)
    tell(job, *answers(2))

    assert tell(job, Lost(1, 0, 1.0, "killed")) == [Compute(1, 2, 1)]
    assert tell(job, Lost(0, 0, 1.0, "killed")) == [Compute(0, 1, 1)]


def test_among_equals_a_worker_that_did_not_lose_the_task_is_preferred():
    job = started(tasks=4, threshold=4)
    tell(job, *answers(0, 2))

    assert tell(job, Lost(1, 0, 1.0, "killed")) == [Compute(1, 0, 1)]


def test_the_answer_of_an_attempt_given_up_is_late():
    job = started(tasks=4, threshold=3)
    tell(job, Lost(1, 0, 1.0, "cut off"))

    assert tell(job, Result(1, 0, 1.1)) == []
    assert job.received == ()
    assert tell(job, Result(1, 1, 1.2)) == []
    assert job.received == (1,)


def test_a_worker_that_leaves_loses_all_it_owed():
    job = started(tasks=4, workers=2, threshold=4)

    assert tell(job, Left(1, 1.0, "unplugged")) == [Compute(1, 0, 1), Compute(3, 0, 1)]


def test_a_worker_that_joins_takes_over():
    job = started(tasks=4, workers=2, threshold=4, retries=2)
    tell(job, Left(1, 1.0), *answers(0, 2), Joined(1, 2.0))

    assert tell(job, Lost(1, 1, 3.0, "failed")) == [Compute(1, 1, 2)]


def test_a_joined_worker_is_used_for_what_it_lost():
    job = started(tasks=2, workers=2, threshold=2)

    assert tell(job, Joined(1, 1.0), Lost(1, 0, 1.0, "killed")) == [Compute(1, 1, 1)]


def test_a_lost_task_without_retries_left_is_done_without():
    job = started(tasks=4, threshold=3, retries=0)

    assert tell(job, Lost(1, 0, 1.0, "killed")) == []
    assert tell(job, *answers(0, 2, 3)) == [Decode((0, 2, 3))]


def test_the_job_fails_as_soon_as_too_few_can_come_and_says_all_about_it():
    job = started(tasks=4, threshold=3, retries=0)
    tell(job, *answers(0), Lost(1, 0, 1.0, "killed"))

    [gives_up, *cancels] = tell(job, Lost(2, 0, 1.5, "out of memory"))
    assert cancels == [Cancel(3, 3, 0)]
    assert gives_up == GiveUp(job.reason)
    assert job.reason == (
        "no product, for too few answers can still come: `stop=first_threshold(extra=0)` was asked and any 3 of 4 "
        "answers suffice; 1 answer came in 1.5 s (task 0); still out: task 3 on worker 3; 2 attempts lost: task 1 on "
        "worker 1 (killed), task 2 on worker 2 (out of memory). 2 more would have sufficed; use more workers or "
        "`retries`, a code with a lower threshold, or `stop=deadline(seconds)`."
    )


def test_with_every_worker_gone_the_job_fails_at_once():
    job = started(tasks=2, workers=2, threshold=1, retries=5)

    tell(job, Left(0, 1.0), Left(1, 1.0))
    assert job.state is State.FAILED


def test_a_job_that_cannot_succeed_never_starts():
    job = a_job(tasks=2, workers=2, threshold=3)

    assert [type(said) for said in job.start(0.0)] == [GiveUp]


def test_a_timeout_fails_the_job_and_names_the_way_out():
    job = a_job(tasks=4, threshold=3, timeout=2.0)
    assert job.start(10.0)[-1] == WakeAt(12.0)

    tell(job, *answers(0, at=11.0), Woke(12.0))
    assert job.state is State.FAILED
    assert job.reason.startswith("no product, for the time is over")
    assert "1 answer came in 2 s (task 0)" in job.reason
    assert job.reason.endswith("take the best answer by then with `stop=deadline(seconds)`.")


def test_a_deadline_takes_the_best_answer_then():
    job = a_job(tasks=4, threshold=3, stop=deadline(0.3))
    # 1e9 + 0.3 - 1e9 is less than 0.3: what was asked for has come all the same
    assert job.start(1e9)[-1] == WakeAt(1e9 + 0.3)

    assert tell(job, Result(2, 0, 1e9 + 0.1), Woke(1e9 + 0.3)) == [Decode((2,))]


def test_a_deadline_with_nothing_in_hand_fails():
    job = started(tasks=4, threshold=3, stop=deadline(0.3))

    tell(job, Woke(0.3))
    assert job.state is State.FAILED
    assert "no answer came by the deadline of 0.3 s" in job.reason


def test_until_collects_on_when_the_measured_error_is_too_large():
    job = started(tasks=4, threshold=3, stop=until(1e-6))
    assert tell(job, *answers(0, 1, 2)) == [Decode((0, 1, 2))]
    assert tell(job, Decoded(2.0, error=1e-3)) == []
    assert job.state is State.COLLECTING

    assert tell(job, *answers(3)) == [Decode((0, 1, 2, 3))]
    assert tell(job, Decoded(3.0, error=1e-7)) == []
    assert job.reason == "measured error 1.0e-07 of 4 answers is within 1.0e-06"


def test_until_returns_its_best_when_nothing_more_can_come():
    job = started(tasks=4, threshold=3, stop=until(1e-6))

    tell(job, *answers(0, 1, 2, 3), Decoded(2.0, error=1e-3), Decoded(2.0, error=1e-4))
    assert job.state is State.DONE
    assert job.reason == "measured error 1.0e-04 of 4 answers is above 1.0e-06, and no more answers can come"


def test_everyone_waits_for_the_repeated_task_too():
    job = started(tasks=3, threshold=2, stop=everyone)
    assert tell(job, *answers(0, 1), Lost(2, 0, 1.0, "killed")) == [Compute(2, 0, 1)]

    assert tell(job, Result(2, 1, 2.0)) == [Decode((0, 1, 2))]


def test_a_wrong_answer_is_left_out_when_enough_remain():
    job = started(tasks=5, workers=5, threshold=3, stop=first_threshold(extra=2))
    assert tell(job, *answers(0, 1, 2, 3, 4)) == [Decode((0, 1, 2, 3, 4))]

    assert tell(job, Suspected((1,), 2.0)) == [Decode((0, 2, 3, 4))]
    assert job.wrong == {1}


def test_a_wrong_answer_is_computed_elsewhere_when_too_few_remain():
    job = started(tasks=3, workers=3, threshold=3)
    tell(job, *answers(0, 1, 2))

    assert tell(job, Suspected((1,), 2.0)) == [Compute(1, 0, 1)]
    assert tell(job, Result(1, 1, 3.0)) == [Decode((0, 1, 2))]
    assert job.wrong == frozenset()


def test_a_worker_found_wrong_is_not_trusted_with_another_task():
    job = started(tasks=4, workers=2, threshold=4)

    # worker 0 has nothing to do, and worker 1 has two tasks: all the same
    assert tell(job, *answers(0, 2), Suspected((0,), 2.0)) == [Compute(0, 1, 1)]


def test_a_worker_that_joins_again_is_trusted_again():
    job = started(tasks=4, workers=2, threshold=4)

    assert tell(job, *answers(0, 2), Joined(0, 2.0), Suspected((0,), 2.0)) == [Compute(0, 1, 1)]
    assert tell(job, Joined(0, 3.0), Lost(1, 0, 3.0, "killed")) == [Compute(1, 0, 1)]


def test_everyone_does_not_wait_for_wrong_answers_to_be_repeated():
    job = started(tasks=4, threshold=3, stop=everyone)

    assert tell(job, *answers(0, 1, 2, 3), Suspected((1,), 2.0)) == [Decode((0, 2, 3))]


def test_wrong_answers_are_repeated_when_the_product_without_them_is_not_good_enough():
    job = started(tasks=4, threshold=2, stop=until(1e-6))
    tell(job, *answers(0, 1, 2, 3))
    assert tell(job, Suspected((1,), 2.0)) == [Decode((0, 2, 3))]

    assert tell(job, Decoded(3.0, error=0.1)) == [Compute(1, 0, 1)]


def test_a_loss_while_decoding_is_repeated_at_once():
    job = started(tasks=4, threshold=3)

    assert tell(job, *answers(0, 1, 2), Lost(3, 0, 1.0, "killed")) == [Compute(3, 0, 1)]


def test_the_last_product_is_formed_from_all_there_is():
    def first_three(progress):
        return Verdict(len(progress.received) == 3 and progress.measured is None, "three")

    job = started(tasks=4, threshold=3, stop=first_three)

    tell(job, *answers(0, 1, 2, 3), Decoded(2.0, 0.1))
    assert (job.state, job.used) == (State.DECODING, (0, 1, 2, 3))


def test_time_does_not_go_back():
    job = started(tasks=4, threshold=3, stop=deadline(5.0))
    assert tell(job, *answers(0), Woke(5.0)) == [Decode((0,))]

    # stamped a little before the deadline was noticed: it has passed all the same, and nobody will wake the job again
    tell(job, Suspected((0,), 4.9))
    assert job.state is State.FAILED


def test_wrong_answers_without_a_name_ask_for_more():
    job = started(tasks=4, threshold=3)
    assert tell(job, *answers(0, 1, 2)) == [Decode((0, 1, 2))]
    assert tell(job, Suspected((), 2.0)) == []
    assert job.state is State.COLLECTING

    assert tell(job, *answers(3)) == [Decode((0, 1, 2, 3))]
    assert tell(job, Suspected((2,), 3.0)) == [Decode((0, 1, 3))]


def test_contradicting_answers_and_none_to_come_fail():
    job = started(tasks=3, threshold=3)
    tell(job, *answers(0, 1, 2))

    tell(job, Suspected((), 2.0))
    assert job.state is State.FAILED
    assert "contradict one another" in job.reason


def test_contradicting_answers_do_not_outlast_a_deadline():
    job = started(tasks=4, threshold=3, stop=deadline(5.0))

    assert tell(job, *answers(0, 1, 2), Suspected((), 2.0)) == []
    assert job.state is State.COLLECTING
    tell(job, Woke(5.0))
    assert job.state is State.FAILED


def test_replication_stops_as_soon_as_each_pair_has_answered():
    job = started(tasks=4, threshold=3, decodability=OneOfEachPair(2))

    assert tell(job, *answers(1, 2)) == [Decode((1, 2))]


def test_replication_fails_when_a_pair_is_lost_though_the_count_would_do():
    job = started(tasks=6, workers=6, threshold=5, decodability=OneOfEachPair(3), retries=0)

    tell(job, Lost(0, 0, 1.0, "killed"), Lost(1, 0, 1.0, "killed"))
    assert job.state is State.FAILED


def test_any_function_is_a_stop_rule():
    def after_two(progress):
        return Verdict(len(progress.received) >= 2, "two", wake_at=0.5)

    job = a_job(tasks=4, threshold=3, stop=after_two)
    assert job.start(0.0)[-1] == WakeAt(0.5)

    assert tell(job, Woke(0.5), *answers(2, 1)) == [Decode((1, 2))]


def test_a_story_tells_one_tasks_life():
    job = started(tasks=3, threshold=3)
    lost, result = Lost(1, 0, 1.0, "killed"), Result(1, 1, 2.0)
    tell(job, Result(0, 0, 0.5), lost, result)

    assert [step.event for step in job.story(1)][1:] == [lost, result]
    assert len(job.story()) == 4


def test_what_comes_before_the_start_is_late():
    job = a_job()

    assert tell(job, Result(0, 0, 0.0)) == []
    assert job.state is State.READY


@pytest.mark.parametrize("setting", ["tasks", "workers", "threshold", "fewest"])
def test_counts_start_at_one(setting):
    with pytest.raises(InputError, match=f"{setting}=0"):
        a_job(**{"tasks": 4, "decodability": None, setting: 0})


def test_500_tasks_ask_the_tables_rarely():
    class Counted(OneOfEachPair):
        asked = 0

        def sufficient(self, tasks):
            Counted.asked += 1
            return super().sufficient(tasks)

    job = started(tasks=500, workers=500, threshold=499, decodability=Counted(250), fewest=250)

    tell(job, *answers(*range(0, 500, 2)))
    assert job.state is State.DECODING
    assert Counted.asked == 2  # once of all that can come, once of what has come


def test_answers_that_are_gone_are_computed_elsewhere_and_nobody_was_wrong():
    job = started(tasks=4, threshold=3)
    tell(job, *answers(0, 1, 2))

    assert tell(job, Suspected((1,), 2.0, cause="killed")) == [Compute(1, 0, 1)]
    assert (job.wrong, job.received) == (frozenset(), (0, 2))
    assert tell(job, Result(3, 0, 3.0)) == [Decode((0, 2, 3))]


def test_answers_that_are_gone_leave_a_decoding_to_the_others():
    job = started(tasks=4, threshold=3)
    tell(job, *answers(0, 1, 2, 3))

    assert tell(job, Suspected((0,), 2.0, cause="killed")) == [Decode((1, 2, 3))]


def test_a_worker_whose_answer_is_gone_is_sent_nothing_as_long_as_there_are_others():
    job = started(tasks=4, threshold=3)
    tell(job, *answers(0, 1, 2, 3))
    tell(job, Suspected((0, 1), 2.0, cause="silent"))

    assert {step.worker for step in job.latest.instructions if isinstance(step, Compute)} <= {2, 3}


def test_the_reason_says_with_whom_answers_were_lost():
    job = started(tasks=3, threshold=3, retries=0)
    tell(job, *answers(0, 1, 2), Suspected((2,), 2.0, cause="killed by SIGKILL"))

    assert job.state is State.FAILED
    assert "task 2 on worker 2 (killed by SIGKILL)" in job.reason
