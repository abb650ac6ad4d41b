"""The timeline of a product: every sending ends as what it was, whatever happened in between."""

from types import SimpleNamespace

import pytest

from anyk.job import Job, first_threshold
from anyk.job.messages import Decoded, Joined, Left, Lost, Result, Suspected
from anyk.verbs.timeline import timeline


def told(events, *, tasks=3, workers=3, needed=2, retries=1):
    """The timeline of a job that starts at 10 s and hears these events, as (task, attempt) -> stretch."""
    decodable = SimpleNamespace(sufficient=lambda answers: len(answers) >= needed)
    job = Job(tasks, workers, threshold=needed, decodability=decodable, stop=first_threshold(), retries=retries)
    job.start(at=10.0)
    for event in events:
        job.handle(event)
    job.check()
    return {(row.task, row.attempt): row for row in timeline(job.story())}


def outcomes(rows):
    return {key: row.outcome for key, row in rows.items()}


def test_answers_are_used_and_the_rest_is_cancelled():
    rows = told([Result(0, 0, 11.0), Result(2, 0, 12.5), Decoded(13.0)])

    assert outcomes(rows) == {(0, 0): "used", (1, 0): "cancelled", (2, 0): "used"}
    assert [rows[key].ended_seconds for key in rows] == [1.0, 3.0, 2.5]


def test_an_answer_that_comes_after_the_end_is_not_needed():
    rows = told([Result(0, 0, 11.0), Result(2, 0, 12.0), Decoded(13.0), Result(1, 0, 13.5)])

    assert outcomes(rows)[1, 0] == "answered"
    assert rows[1, 0].ended_seconds == 3.5


def test_an_answer_that_comes_while_decoding_is_not_needed():
    rows = told([Result(0, 0, 11.0), Result(2, 0, 12.0), Result(1, 0, 12.5), Decoded(13.0)])

    assert outcomes(rows)[1, 0] == "answered"


def test_only_the_attempt_that_answered_wrongly_is_wrong():
    rows = told([Result(0, 0, 11.0), Result(1, 0, 11.0), Suspected((1,), 11.5), Result(1, 1, 14.0), Decoded(15.0)])

    assert outcomes(rows)[1, 0] == "wrong"
    assert outcomes(rows)[1, 1] == "used"
    assert rows[1, 0].worker != rows[1, 1].worker


def test_who_leaves_takes_along_what_it_owed():
    rows = told([Left(1, 10.5, "killed"), Result(0, 0, 11.0), Result(2, 0, 12.0), Decoded(13.0)])

    assert outcomes(rows)[1, 0] == "lost"
    assert (rows[1, 0].ended_seconds, rows[1, 0].cause) == (0.5, "killed")


def test_the_answer_of_a_lost_attempt_changes_nothing():
    rows = told(
        [
            Joined(1, 10.4),
            Lost(1, 0, 10.5, "crashed"),
            Result(1, 0, 10.6),
            Result(0, 0, 11.0),
            Result(1, 1, 12.0),
            Decoded(13.0),
        ]
    )

    assert outcomes(rows) == {(0, 0): "used", (1, 0): "lost", (2, 0): "cancelled", (1, 1): "used"}


@pytest.mark.parametrize("steps", [(), []])
def test_no_story_no_timeline(steps):
    assert timeline(steps) == []
