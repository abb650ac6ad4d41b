"""Simulated completion times: exactly those of real jobs, and those of theory."""

import itertools

import numpy as np
import pytest
from scipy import stats

import anyk
from anyk.errors import InputError
from anyk.faults import (
    Bimodal,
    Crash,
    GaussianError,
    GroupOutage,
    Pareto,
    ShiftedExponential,
    SlowNodes,
    Stop,
    combine,
    preset,
)
from anyk.simulation import simulate

WAYS = [("uncoded", 8), ("replication:2", 9), ("replication:3", 12), ("matdot:2", 8), ("polynomial:2x2", 6)]
STORMS = {
    "delays": ShiftedExponential(),
    "as measured": preset("lambda"),
    "crashes": combine(ShiftedExponential(), Crash(probability=0.2, after_seconds=0.3)),
    "crashes at one moment": Crash(probability=0.3),
    "outages": combine(Pareto(), GroupOutage(3, 0.2, after_seconds=0.4)),
    "silence": combine(ShiftedExponential(), Stop(probability=0.1), Crash(probability=0.1, after_seconds=0.7)),
    "slow workers": combine(ShiftedExponential(), SlowNodes(fraction=0.3)),
    "wrong answers": combine(ShiftedExponential(), GaussianError(probability=0.2)),
}


@pytest.mark.parametrize("storm", STORMS)
@pytest.mark.parametrize(("way", "workers"), WAYS)
def test_every_product_takes_exactly_as_long_as_a_job_on_the_simulated_engine(way, workers, storm):
    for extra, retries in itertools.product((0, 1), (0, 1, 2)):
        asked = {
            "workers": workers,
            "products": 8,
            "delays": STORMS[storm],
            "seconds": np.linspace(0.5, 2.0, workers),
            "retries": retries,
            "extra": extra,
            "rng": 5,
        }
        if anyk.simulation.strategy(way, workers).needed + extra > workers - (way == "replication:2"):
            continue

        np.testing.assert_array_equal(simulate(way, **asked).seconds, simulate(way, **asked, job=True).seconds)


def test_of_a_mixture_of_all_harm_nearly_every_product_takes_exactly_as_long_as_its_job():
    # Not all: wrong answers that meet crashes are sent again in another order (see the manual).
    everything = combine(
        *(STORMS[name] for name in ("crashes", "wrong answers", "slow workers")), Stop(probability=0.02)
    )
    asked = {"workers": 12, "products": 100, "delays": everything, "rng": 1}

    for way in ("uncoded", "replication:2", "matdot:3"):
        fast, real = (simulate(way, **asked, job=job).seconds for job in (False, True))
        assert np.mean(fast == real) >= 0.9


def test_a_job_of_a_code_asks_it_whether_just_these_answers_decode():
    asked = {"products": 30, "delays": ShiftedExponential(), "rng": 2}
    for code in (anyk.codes.mds(3, 6), anyk.codes.matdot(3, 8)):
        counted, real = (simulate(code, **asked, job=job).seconds for job in (False, True))

        assert (real <= counted).all()
        # No two answers hold three blocks; but some four of MatDot's happen to decode where five always do.
        assert (real == counted).all() == (code.name == "mds")


@pytest.mark.parametrize(("way", "workers", "needed"), [("uncoded", 20, 20), ("mds:12", 20, 12), ("matdot:4", 30, 7)])
def test_the_mean_of_the_kth_of_p_shifted_exponentials_is_that_of_theory(way, workers, needed):
    law = ShiftedExponential(shift=0.66, scale=0.35)
    size = anyk.simulation.strategy(way, workers).share * workers
    # The k-th of P: the mean of the waits is a sum of 1/(P - i), the variance of 1/(P - i)^2.
    left = np.arange(workers - needed + 1, workers + 1)
    mean = size * (law.shift + law.scale * np.sum(1 / left))
    error = size * law.scale * np.sqrt(np.sum(1 / left**2))
    products = 40_000
    allowed = stats.norm.isf(5e-7) * error / np.sqrt(products)

    found = simulate(way, workers=workers, products=products, delays=law, rng=0)

    assert allowed < 0.01 * mean
    assert abs(found.mean - mean) <= allowed


def test_the_mean_of_replication_is_that_of_theory():
    law, blocks, copies, products = ShiftedExponential(shift=0.5, scale=0.3), 8, 3, 40_000
    # The least of c exponential waits is exponential with mean scale / c; the last of the blocks is needed.
    left = np.arange(1, blocks + 1)
    mean = copies * (law.shift + law.scale / copies * np.sum(1 / left))
    allowed = stats.norm.isf(5e-7) * law.scale * np.sqrt(np.sum(1 / left**2) / products)

    found = simulate("replication:3", workers=blocks * copies, products=products, delays=law, rng=0)

    assert allowed < 0.01 * mean
    assert abs(found.mean - mean) <= allowed


def test_a_seed_decides_everything_whatever_else_is_simulated():
    one, two = (simulate("matdot:4", workers=20, products=50, delays="lambda", rng=3) for _ in range(2))

    np.testing.assert_array_equal(one.seconds, two.seconds)
    assert not np.array_equal(
        one.seconds, simulate("matdot:4", workers=20, products=50, delays="lambda", rng=4).seconds
    )


def test_strategies_of_as_many_tasks_meet_the_same_luck():
    asked = {"workers": 12, "products": 200, "delays": ShiftedExponential(), "equal_tasks": True, "rng": 3}
    first, some, all_of_them = (simulate(way, **asked).seconds for way in ("mds:1", "mds:9", "uncoded"))

    assert (first <= some).all()
    assert (some <= all_of_them).all()


def test_a_task_takes_as_long_as_its_share_of_the_product():
    quarter = simulate("matdot:4", workers=10, products=1)
    equal = simulate("matdot:4", workers=10, products=1, equal_tasks=True)

    assert quarter.mean == 10 / 4
    assert equal.mean == 1.0


def test_what_was_worked_and_wasted_adds_up():
    # Of 10 tasks of one second each, 7 are used; a slow worker is stopped after that second.
    found = simulate("matdot:4", workers=10, products=3, delays=SlowNodes(ranks=(9,), factor=5.0), equal_tasks=True)

    assert found.worker_seconds.tolist() == [10.0] * 3
    assert found.used_seconds.tolist() == [9.0] * 3  # nine came at the very moment the seventh did


def test_of_copies_only_the_first_is_used():
    found = simulate("replication:2", workers=8, products=5, delays=ShiftedExponential(), rng=0)
    assert 0 < found.wasted < 0.75
    assert simulate("uncoded", workers=8, products=5, delays=ShiftedExponential(), rng=0).wasted == pytest.approx(0)


def test_a_silent_worker_loses_an_uncoded_product_and_no_coded_one():
    silent = Stop(ranks=(3,))
    assert simulate("uncoded", workers=8, products=4, delays=silent).lost == 1.0
    assert simulate("mds:7", workers=8, products=4, delays=silent).lost == 0.0


def test_wrong_answers_are_found_or_counted():
    wrong = GaussianError(ranks=(0,))
    assert simulate("mds:5", workers=8, products=4, delays=wrong).spoilt == 0.0
    assert simulate("mds:5", workers=8, products=4, delays=wrong, screened=False).spoilt == 1.0


def test_a_recording_is_replayed(tmp_path):
    path = tmp_path / "delays.csv"
    path.write_text("# seconds\n1,2,3\n5,1,1\n")

    assert simulate("uncoded", workers=3, products=4, delays=str(path)).seconds.tolist() == [3, 5, 3, 5]
    assert simulate("mds:2", workers=3, products=2, delays=str(path), equal_tasks=True).seconds.tolist() == [2, 1]


def test_a_bad_line_of_a_recording_is_named(tmp_path):
    path = tmp_path / "delays.csv"
    path.write_text("1,2,3\n1,oops,3\n")

    with pytest.raises(InputError, match="line 2, column 2"):
        simulate("uncoded", workers=3, delays=str(path))


def test_many_products_are_simulated_in_blocks_like_few():
    # More pieces of work than one block holds.
    seen = []
    found = simulate(
        "uncoded", workers=1000, products=2500, progress=lambda *at: seen.append(at), delays="dolly", rng=0
    )

    assert seen == [(2000, 2500), (2500, 2500)]
    assert found.products == 2500
    assert found.quantile(0.5) == 8.0


def test_quantiles_are_order_statistics_and_a_lost_product_takes_for_ever():
    found = simulate("uncoded", workers=4, products=2000, delays=Bimodal(probability=0.1, factor=8.0), rng=0)
    assert (found.quantile(0.5), found.quantile(0.99)) == (1.0, 8.0)

    lossy = simulate("uncoded", workers=4, products=200, delays=Crash(probability=0.5), retries=0, rng=0)
    assert lossy.lost > 0.5
    assert lossy.as_dict()["mean_seconds"] is None


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"workers": 0}, "at least 1"),
        ({"workers": 8, "products": 0}, "products=0"),
        ({"workers": 8, "extra": 1}, "8 \\+ 1 answers"),
        ({"workers": 8, "seconds": [1.0, 2.0]}, "2 times for 8 workers"),
        ({"workers": 8, "seconds": -1.0}, "no work"),
        ({"workers": 8, "delays": "nope"}, "does not exist"),
        ({"workers": 8, "retries": -1}, "retries=-1"),
        ({}, "needs a number of workers"),
    ],
)
def test_what_cannot_be_is_refused_in_words(asked, told):
    with pytest.raises(InputError, match=told):
        simulate("uncoded", **asked)
