"""How long the answers take: against the simulated engine, against closed forms, against loops over events."""

from concurrent.futures import Future

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import anyk
from anyk.engines.drive import drive
from anyk.engines.simulated import SimulatedEngine
from anyk.faults import Bimodal, Crash, LogNormal, Pareto, ShiftedExponential, SlowNodes, Trace, combine, seeded
from anyk.job import Job, first_threshold
from anyk.job.messages import Decoded
from anyk.planning import Request
from anyk.planning.order_statistics import mean_delay
from anyk.planning.waiting import Task, Waiting, shared_cores
from anyk.simulation import answer_seconds, kth_smallest


def waiting(delays=None, workers=6, seed=0, **given):
    return Waiting(Request((9, 9), (9, 9), workers, delays=delays, **given), np.random.default_rng(seed))


# --- against the simulated engine -------------------------------------------------------------------------------------


class Nothing:
    """Work of which only the times matter."""

    def start(self, compute, lane) -> "Future[None]":
        return lane.submit(bool)

    def decode(self, tasks):
        return Decoded(at=0.0, error=None)


class Enough:
    """Which tasks suffice: any K, or one copy of each product."""

    def __init__(self, needed, products):
        self.needed, self.products = needed, products

    def sufficient(self, tasks):
        return len({task % self.products for task in tasks} if self.products else tasks) >= self.needed

    def expected_error(self, tasks):
        return 0.0 if self.sufficient(tasks) else 1.0


def simulated(delays, work, workers, needed, products, rounds):
    """Completion times on the engine, product after product."""
    times = []
    with SimulatedEngine(workers, faults=seeded(delays, 0), task_seconds=work, compute=False) as engine:
        for _ in range(rounds):
            job = Job(
                workers,
                workers,
                threshold=workers - workers // products + 1 if products else needed,
                decodability=Enough(needed, products),
                stop=first_threshold(),
                fewest=needed,
            )
            times.append(drive(job, engine, Nothing()).seconds["collect"])
    return np.array(times)


@pytest.mark.parametrize(("needed", "products"), [(6, 0), (4, 0), (1, 0), (3, 3), (2, 2)])
def test_recorded_delays_give_the_times_of_the_simulated_engine(needed, products):
    """Uncoded, any K of P, and copies; the same delays in both, so the same mean to rounding."""
    delays = Trace(np.random.default_rng(1).exponential(2.0, (250, 6)).tolist())
    # A task that is cancelled ends at once on that engine: every product starts on idle workers.
    engine = simulated(delays, 0.5, 6, needed, products, 250)

    wait = waiting(delays).of(Task(0.5, 0.0, 0.0, 1 if products else needed, 6, products))

    assert wait.mean == pytest.approx(engine.mean(), rel=1e-9)
    assert wait.late == pytest.approx(np.quantile(engine, 0.99, method="higher"), rel=1e-9)


# --- closed forms -----------------------------------------------------------------------------------------------------

IN_CLOSED_FORM = [
    ShiftedExponential(0.66, 0.35, unit_seconds=2.0),
    Pareto(shape=2.5, scale=0.5),
    Bimodal(probability=0.2, factor=8.0, unit_seconds=0.1),
]


@pytest.mark.parametrize("delays", IN_CLOSED_FORM, ids=lambda model: type(model).__name__)
@pytest.mark.parametrize(("needed", "workers", "copies"), [(1, 7, 1), (5, 7, 1), (6, 7, 1), (4, 8, 2), (2, 6, 3)])
def test_closed_forms_agree_with_many_draws(delays, needed, workers, copies):
    times = answer_seconds(delays, seconds=np.zeros(workers), products=40_000, rng=np.random.default_rng(5))
    drawn = kth_smallest(times.reshape(-1, copies, workers // copies).min(axis=1), needed)

    exact = mean_delay(delays, needed, workers, copies)

    # five standard errors: one false alarm in a million per case
    assert exact == pytest.approx(drawn.mean(), abs=5 * drawn.std() / 200 + 1e-12)


def test_a_tail_without_a_mean_is_infinite():
    assert mean_delay(Pareto(shape=0.8), 4, 4, 1) == np.inf
    assert np.isfinite(mean_delay(Pareto(shape=0.8), 3, 4, 1))


def test_models_without_a_closed_form_are_drawn():
    assert mean_delay(LogNormal(sigma=0.2), 3, 4, 1) is None
    assert mean_delay(None, 3, 4, 1) == 0.0


def test_a_closed_form_is_used_where_workers_share_nothing():
    delays = ShiftedExponential(1.0, 1.0)
    alone = waiting(delays, workers=4).of(Task(2.0, 0.0, 0.0, 1, 4))

    assert alone.mean == 2.0 + 1.25
    assert waiting(delays, workers=4, delay_unit="tasks").of(Task(2.0, 0.0, 0.0, 1, 4)).mean == 2.0 * 1.25
    assert waiting(delays, workers=4).of(Task(2.0, 0.1, 0.0, 1, 4)).mean != pytest.approx(2.1 + 1.25, rel=1e-6)


# --- slow, lost and cores ---------------------------------------------------------------------------------------------


def test_slow_workers_stretch_the_work_and_not_the_delay():
    delays = combine(SlowNodes(ranks=(0,), factor=3.0), Trace([[1.0, 1.0]]))

    assert waiting(delays, workers=2).of(Task(2.0, 0.0, 0.0, 2, 2)).mean == pytest.approx(7.0)
    assert waiting(delays, workers=2).of(Task(2.0, 0.0, 0.0, 1, 2)).mean == pytest.approx(3.0)


def test_products_that_are_lost_are_made_again():
    wait = waiting(Crash(probability=0.2), workers=2).of(Task(1.0, 0.0, 0.0, 2, 2))

    assert wait.lost == pytest.approx(1 - 0.8**2, abs=5 * (0.36 * 0.64 / 1000) ** 0.5)
    assert wait.mean == pytest.approx(1.0 / (1 - wait.lost))
    assert wait.late == np.inf


def test_nothing_is_left_of_workers_that_all_die():
    wait = waiting(Crash(probability=1.0), workers=3).of(Task(1.0, 0.0, 0.0, 1, 3))

    assert (wait.mean, wait.lost) == (np.inf, 1.0)


def test_machines_slow_for_good_are_drawn_many_times():
    """Were they drawn once, all products would take one of two times for ever."""
    wait = waiting(SlowNodes(fraction=0.5, factor=2.0), workers=2).of(Task(1.0, 0.0, 0.0, 1, 2))

    # both slow: 1/4 of the clusters; 20 of them are drawn
    assert 1.0 < wait.mean < 2.0


def shared_by_the_clock(began, seconds, cores):
    """One row, in small steps."""
    step, left, ends, now = 1e-4, dict.fromkeys(range(len(began)), seconds), {}, 0.0
    while left:
        running = [each for each in left if began[each] <= now]
        for each in running:
            left[each] -= step * min(1, cores / len(running))
            if left[each] <= 0:
                ends[each] = now + step
                del left[each]
        now += step
    return [ends[each] for each in range(len(began))]


@settings(max_examples=30)  # the small steps are slow
@given(st.lists(st.floats(0, 2).map(lambda value: round(value, 2)), min_size=1, max_size=5), st.integers(1, 3))
def test_cores_are_shared_as_by_small_steps(began, cores):
    ends = shared_cores(np.array([began]), 0.3, cores)[0]

    # each arrival or departure is met one step late at most
    assert ends == pytest.approx(shared_by_the_clock(began, 0.3, cores), abs=2e-4 * (2 * len(began) + 2))


def test_lost_work_takes_no_core():
    ends = shared_cores(np.array([[0.0, np.inf, 0.0]]), 1.0, 1)[0]

    assert ends.tolist() == [2.0, np.inf, 2.0]


def test_on_few_cores_more_tasks_take_longer():
    few, many = (waiting(workers=8, cores=cores).of(Task(1.0, 0.0, 0.0, 6, 8)).mean for cores in (2, 8))

    assert (few, many) == (4.0, 1.0)


# --- the link ---------------------------------------------------------------------------------------------------------


@given(st.lists(st.floats(0, 5), min_size=4, max_size=4), st.integers(1, 4), st.floats(0, 2), st.floats(0, 2))
def test_tasks_and_answers_queue_for_the_link(delays, awaited, send, fetch):
    answers = sorted(send * (place + 1) + 0.5 + delay for place, delay in enumerate(delays))
    free = 0.0
    for answer in answers[:awaited]:
        free = max(free, answer) + fetch

    wait = waiting(Trace([delays]), workers=4, bandwidth=1.0).of(Task(0.5, send, fetch, awaited, 4))

    assert wait.mean == pytest.approx(free, rel=1e-9)


def test_common_draws_make_fewer_answers_never_slower():
    drawn = waiting(anyk.faults.Bursts(), workers=12)
    means = [drawn.of(Task(1.0, 0.0, 0.0, awaited, 12)).mean for awaited in range(1, 13)]

    assert means == sorted(means)
