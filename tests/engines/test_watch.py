"""Watching a job while it runs."""

import numpy as np
import pytest

import anyk
from anyk.job.messages import Decoded, Result, Started

A = np.arange(24.0).reshape(4, 6)
CODE = anyk.codes.matdot(inner=2, workers=4)


def test_watch_sees_every_step_as_the_job_makes_it():
    seen = []

    product = anyk.matmul(A, A.T, CODE, engine="simulated", watch=seen.append)

    assert tuple(seen) == product.events[: len(seen)]
    assert [type(step.event) for step in seen] == [Started, Result, Result, Result, Decoded]


def test_a_watch_that_raises_is_warned_of_and_not_called_again():
    calls = []

    def broken(step):
        calls.append(step)
        raise ValueError("the view is broken")

    with pytest.warns(RuntimeWarning, match=r"unwatched.*the view is broken"):
        product = anyk.matmul(A, A.T, CODE, engine="inline", watch=broken)

    assert np.allclose(product, A @ A.T)
    assert len(calls) == 1


def test_an_interrupt_in_watch_ends_the_job():
    def interrupted(step):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        anyk.matmul(A, A.T, CODE, engine="inline", watch=interrupted)
