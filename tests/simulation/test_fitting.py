"""Laws fitted to recorded times: found again, and refuted where they are not the law."""

import numpy as np
import pytest
from scipy import stats

import anyk
from anyk.errors import InputError
from anyk.faults import Bimodal, Bursts, LogNormal, Pareto, ShiftedExponential, SlowNodes, combine
from anyk.simulation import answer_seconds, fit, trace_row, write_trace

LAWS = {
    "shifted-exponential": ShiftedExponential(0.66, 0.35, unit_seconds=0.5),
    "pareto": Pareto(2.0, unit_seconds=0.5),
    "log-normal": LogNormal(0.2, unit_seconds=0.5),
    "bimodal": Bimodal(0.1, 8.0, unit_seconds=0.5),
}


def recorded(model, rounds=100, workers=16, seconds=0.0):
    return answer_seconds(
        model, seconds=np.full(workers, seconds), products=rounds, rng=np.random.default_rng(3)
    ).tolist()


@pytest.mark.parametrize("name", LAWS)
def test_the_law_of_a_recording_is_found_again(name):
    found = fit(recorded(LAWS[name]), replicates=19)

    assert found.best.name == name
    assert found.best.p_value > 0.05
    assert all(law.p_value <= 0.05 for law in found.laws[1:]), "another law cannot be told from it"


def test_maximum_likelihood_is_as_near_as_its_theory_says():
    count = 1600
    pareto = next(law for law in fit(recorded(LAWS["pareto"]), replicates=19).laws if law.name == "pareto").model
    log_normal = next(law for law in fit(recorded(LAWS["log-normal"]), replicates=19).laws if law.name == "log-normal")
    bound = stats.norm.isf(5e-7)

    # Asymptotic standard errors: shape / sqrt(n), sigma / sqrt(2 n).
    assert abs(pareto.shape - 2.0) <= bound * 2.0 / np.sqrt(count)
    assert abs(log_normal.model.sigma - 0.2) <= bound * 0.2 / np.sqrt(2 * count)


def test_no_simple_law_is_that_of_rare_stalls_and_the_tail_says_so():
    found = fit(recorded(Bursts(unit_seconds=0.5), rounds=250), replicates=19)

    assert all(law.p_value <= 0.05 for law in found.laws)
    assert found.tail_seconds > 10 * 0.5
    assert found.best.tail_seconds < 0.5 * found.tail_seconds


def test_workers_that_are_slow_for_good_are_noticed():
    calm = fit(recorded(LAWS["log-normal"]), replicates=19)
    slow = fit(recorded(combine(LAWS["log-normal"], SlowNodes(ranks=(3,), factor=2.0)), seconds=0.5), replicates=19)

    assert calm.workers_differ > 1e-6
    assert slow.workers_differ < 1e-6


@pytest.mark.parametrize(
    ("rows", "told"),
    [([[1.0, 2.0]], "20 or more"), ([[1.0] * 30], "all alike"), ([[0.0] + [1.0] * 30], "above 0")],
)
def test_too_little_tells_nothing(rows, told):
    with pytest.raises(InputError, match=told):
        fit(rows)


def test_a_file_that_is_no_trace_is_refused_with_its_line(tmp_path):
    path = tmp_path / "bad.csv"
    path.write_text("# seconds\n1,2\n1,-2\n")

    with pytest.raises(InputError, match="line 3, column 2"):
        fit(path)


def test_a_product_that_waited_for_all_is_a_row_of_a_trace(tmp_path):
    model = LAWS["pareto"]
    engine = anyk.engines.open("simulated:6", faults=model, seed=0)
    with engine:
        product = anyk.matmul(np.eye(12), np.eye(12), anyk.codes.mds(4, 6), engine=engine, stop=anyk.everyone, bands=1)
    row = trace_row(product.timeline(), 6)
    write_trace(tmp_path / "trace.csv", [row], ["seconds of 6 workers"])

    # The engine adds a second of work to each delay.
    expected = [1 + model.fate(anyk.faults.Draw(0, 0, rank)).delay_seconds for rank in range(6)]
    assert row == pytest.approx(expected)
    assert anyk.faults.Trace(tmp_path / "trace.csv").rows[0] == pytest.approx(expected, rel=1e-5)


def test_a_product_that_did_not_wait_tells_nothing_of_those_who_were_late():
    with anyk.engines.open("simulated:6", faults=LAWS["pareto"], seed=0) as engine:
        product = anyk.matmul(np.eye(12), np.eye(12), anyk.codes.mds(4, 6), engine=engine)

    assert trace_row(product.timeline(), 6) is None
