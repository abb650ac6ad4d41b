"""The contract of engines, on every row of the table."""

import pytest

from anyk import engines
from anyk.engines import ENGINES
from anyk.testing.engines import EngineContract

#: Engines that start worker processes.
CLUSTERS = {"processes"}


def row(name):
    return pytest.param(name, marks=[pytest.mark.cluster] if name in CLUSTERS else [])


@pytest.mark.parametrize("name", [row(name) for name in ENGINES])
class TestEveryEngine(EngineContract):
    @pytest.fixture(autouse=True)
    def row(self, name):
        self.name = name
        if name == "simulated":
            self.patience = 1e6  # of virtual seconds

    def make(self, workers):
        return engines.open(self.name, workers=workers)

    def test_the_engine_knows_its_name(self, engine):
        assert engine.name == self.name
