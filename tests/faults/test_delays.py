"""Delay models against their closed forms: one sample each, of independent draws, judged by exact laws."""

import math

import numpy as np
import pytest
from scipy import stats

from anyk.faults import Bimodal, Draw, LogNormal, Pareto, ShiftedExponential

DRAWS = 4000

# A correct model would fail a check for one seed in a thousand; the seed is fixed, so this one never does.
LEVEL = 1e-3

LAWS = {
    "shifted exponential": (ShiftedExponential(), stats.expon(loc=0.66, scale=0.35)),
    "shifted exponential, own unit": (
        ShiftedExponential(shift=1.0, scale=0.5, unit_seconds=0.2),
        stats.expon(loc=0.2, scale=0.1),
    ),
    "pareto": (Pareto(shape=2.0), stats.pareto(2.0)),
    "pareto, very heavy": (Pareto(shape=0.5, scale=3.0, unit_seconds=2.0), stats.pareto(0.5, scale=6.0)),
    "log-normal": (LogNormal(sigma=0.12), stats.lognorm(0.12)),
    "log-normal, own unit": (LogNormal(sigma=1.0, unit_seconds=5.0), stats.lognorm(1.0, scale=5.0)),
}


def sample(model, draws=DRAWS, seed=1):
    """Delays of 50 workers over many rounds of one run."""
    return np.array([model.fate(Draw(seed, *divmod(draw, 50))).delay_seconds for draw in range(draws)])


@pytest.mark.parametrize("name", LAWS)
def test_a_sample_follows_the_closed_form(name):
    model, law = LAWS[name]
    assert stats.kstest(sample(model), law.cdf).pvalue > LEVEL


@pytest.mark.parametrize("name", LAWS)
def test_quantiles_are_between_the_order_statistics_that_chance_allows(name):
    model, law = LAWS[name]
    ordered = np.sort(sample(model))

    for probability in (0.01, 0.25, 0.5, 0.75, 0.99):
        low, high = stats.binom.interval(1 - LEVEL, DRAWS, probability)
        assert ordered[int(low) - 1] <= law.ppf(probability) <= ordered[int(high)]


@pytest.mark.parametrize("name", [name for name in LAWS if "pareto" not in name])  # whose variance is infinite
def test_the_mean_is_within_the_standard_errors_of_the_level(name):
    model, law = LAWS[name]
    tolerance = stats.norm.isf(LEVEL / 2) * law.std() / math.sqrt(DRAWS)

    assert abs(sample(model).mean() - law.mean()) <= tolerance


@pytest.mark.parametrize(("shape", "scale"), [(0.5, 3.0), (1.5, 1.0), (2.5, 1.0)])
def test_the_mean_logarithm_of_pareto_delays_is_one_over_the_shape(shape, scale):
    logs = np.log(sample(Pareto(shape=shape, scale=scale)) / scale)
    tolerance = stats.norm.isf(LEVEL / 2) / shape / math.sqrt(DRAWS)  # an exponential's deviation is its mean

    assert abs(logs.mean() - 1 / shape) <= tolerance


def test_bimodal_delays_take_two_values_as_often_as_asked():
    values, counts = np.unique(sample(Bimodal(probability=0.05, factor=8.0, unit_seconds=0.5)), return_counts=True)
    low, high = stats.binom.interval(1 - LEVEL, DRAWS, 0.05)

    assert list(values) == [0.5, 4.0]
    assert low <= counts[1] <= high


def test_a_ceiling_clips_log_normal_delays_and_changes_no_other():
    free, clipped = sample(LogNormal(sigma=0.5)), sample(LogNormal(sigma=0.5, ceiling=1.2))

    np.testing.assert_array_equal(clipped, np.minimum(free, 1.2))


@pytest.mark.parametrize("model", [ShiftedExponential, Pareto, lambda **unit: LogNormal(0.2, **unit)])
def test_delays_are_proportional_to_the_unit(model):
    np.testing.assert_allclose(sample(model(unit_seconds=0.25), 100), 0.25 * sample(model(), 100), rtol=4e-16)


@pytest.mark.parametrize("model", [Pareto(shape=0.1), LogNormal(sigma=10.0)])
def test_the_wildest_models_allowed_stay_finite(model):
    assert np.isfinite(sample(model, 500)).all()
