"""Speculative execution, against a master written out step by step."""

import numpy as np
import pytest

import anyk
from anyk.errors import InputError
from anyk.faults import Bimodal, ShiftedExponential, Stop, combine
from anyk.simulation import SPECULATIONS, Speculation, simulate


def spark_starts(times, quantile, multiplier, interval, least_seconds):
    """Tick after tick, as a task set manager does it."""
    finite = times[np.isfinite(times)]
    for tick in range(1, int(multiplier * finite.max() / interval) + 3):
        now = tick * interval
        done = np.sort(times[times <= now])
        if len(done) == len(times) or len(done) < max(int(quantile * len(times)), 1):
            continue
        if now > max(multiplier * np.median(done), least_seconds):
            return now
    return np.inf


def cubed_starts(times, fraction, factor, timeout, least):
    """Look at every answer, and every ``timeout`` after one."""
    if len(times) < least:
        return np.inf
    needed = int(np.ceil(len(times) * fraction))
    answers = np.sort(times[np.isfinite(times)])
    for place, answer in enumerate(answers):
        following = answers[place + 1] if place + 1 < len(answers) else answers.max() * (factor + 2) + timeout
        if place + 1 == len(times) or place + 1 < needed:
            continue
        for look in np.arange(answer, following, timeout):
            if look > factor * answers[needed - 1]:
                return look
    return np.inf


@pytest.mark.parametrize("tasks", [5, 10, 37])
def test_late_tasks_start_again_when_spark_would_start_them(tasks):
    rng = np.random.default_rng(0)
    times = rng.exponential(1.0, (60, tasks))
    times[rng.random(times.shape) < 0.03] = np.inf
    for name in ("spark", "spark3"):
        rule = SPECULATIONS[name]
        expected = [
            spark_starts(row, rule.quantile, rule.multiplier, rule.interval_seconds, rule.least_seconds)
            for row in times
        ]

        np.testing.assert_allclose(rule.starts(times), expected, rtol=1e-12)


@pytest.mark.parametrize("tasks", [9, 10, 37])
def test_late_tasks_start_again_when_cubed_would_start_them(tasks):
    rng, rule = np.random.default_rng(0), SPECULATIONS["cubed"]
    times = rng.exponential(3.0, (60, tasks))
    times[rng.random(times.shape) < 0.03] = np.inf
    expected = [cubed_starts(row, 0.5, 3.0, 2.0, 10) for row in times]

    np.testing.assert_allclose(rule.starts(times), expected, rtol=1e-12)


def test_a_late_task_takes_its_second_copys_time():
    # One of ten takes 50 s; at 3 medians = 3 s it is late, seen at the next look, and its copy takes 1 s.
    times = Bimodal(probability=0.0, factor=1.0)
    slow = anyk.faults.Trace([[1.0] * 9 + [50.0], [1.0] * 10])

    found = simulate("speculation", workers=10, products=1, delays=slow)

    assert found.seconds[0] == pytest.approx(3.1 + 1.0)
    assert found.worker_seconds[0] == pytest.approx(9 + 4.1 + 1.0)
    assert simulate("speculation", workers=10, products=3, delays=times).seconds.tolist() == [1.0] * 3


def test_a_silent_worker_does_not_lose_a_speculative_product():
    silent = combine(ShiftedExponential(), Stop(ranks=(3,)))
    assert simulate("uncoded", workers=20, products=20, delays=silent, rng=0).lost == 1.0
    assert simulate("speculation", workers=20, products=20, delays=silent, rng=0).lost == 0.0


def test_speculation_never_makes_a_product_later():
    asked = {"workers": 50, "products": 300, "delays": "lambda", "rng": 0}
    plain = simulate("uncoded", **asked).seconds
    for rule in SPECULATIONS:
        assert (simulate(f"speculation:{rule}", **asked).seconds <= plain).all()


@pytest.mark.parametrize("field", [{"quantile": 0.0}, {"multiplier": -1.0}, {"interval_seconds": -1.0}])
def test_a_rule_that_cannot_be_is_refused(field):
    with pytest.raises(InputError, match=next(iter(field))):
        Speculation(**{"quantile": 0.9, "multiplier": 3.0, **field})
