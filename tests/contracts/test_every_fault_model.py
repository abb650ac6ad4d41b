"""The contract of fault models, on every row of the table."""

import pytest

from anyk.faults import FAULTS
from anyk.testing.faults import FaultContract, Rate


def crashes(fate):
    return fate.end == "crash"


def stops(fate):
    return fate.end == "stop"


def is_wrong(fate):
    return len(fate.corrupt) > 0


WRONG = [Rate("answers wrongly", is_wrong, 0.1), Rate("crashes", crashes, 0.0)]

# row -> what should happen how often; a row without an entry has no rate to check
RATES = {
    "bimodal": [Rate("straggles", lambda fate: fate.delay_seconds == 8.0, 0.1)],
    "bursts": [Rate("stalls", lambda fate: fate.delay_seconds >= 10.0, 0.2 * 0.05 + (1 - 0.2 * 0.05) * 0.002)],
    "slow-nodes": [Rate("is slow", lambda fate: fate.slowdown == 2.5, 0.25)],
    "crash": [Rate("crashes", crashes, 0.05), Rate("stops", stops, 0.0)],
    "stop": [Rate("stops", stops, 0.05), Rate("crashes", crashes, 0.0)],
    "bit-flip": WRONG,
    "stuck-bit": WRONG,
    "gaussian-error": WRONG,
    "paper-error": WRONG,
    "scaled": WRONG,
    "zeros": WRONG,
    "non-finite": WRONG,
    "swapped-blocks": WRONG,
    "low-rank": WRONG,
    "group-outage": [Rate("crashes", crashes, 0.25)],
    "combine": [Rate("crashes", crashes, 0.1), Rate("is late", lambda fate: fate.delay_seconds >= 4.0, 0.9 / 8)],
}


@pytest.mark.parametrize("name", FAULTS)
class TestEveryFaultModel(FaultContract):
    @pytest.fixture(autouse=True)
    def row(self, name):
        self.family = FAULTS[name]
        self.correlated = self.family.correlated
        self.rates = RATES.get(name, ())

    def make(self):
        return self.family.example

    def test_the_example_is_of_the_family(self):
        assert type(self.make()) is self.family.model

    def test_the_description_is_one_line(self):
        assert self.family.description == self.family.description.strip()
        assert "\n" not in self.family.description


def test_every_rate_belongs_to_a_row():
    assert set(RATES) <= set(FAULTS)
