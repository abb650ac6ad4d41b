"""The contract of engines, on every row of the table."""

from pathlib import Path

import pytest

from anyk import engines
from anyk.engines import ENGINES
from anyk.testing.engines import EngineContract

#: Engines that start worker processes.
CLUSTERS = {"processes"}
#: Engines whose start takes long: they are tested on one cluster for all tests, in a file of their own.
ELSEWHERE = Path(__file__).parents[1] / "distributed"
OWN_FILE = {"dask": "test_dask.py", "ray": "test_ray.py", "mpi": "mpi_contract.py", "tcp": "test_tcp.py"}


def row(name):
    return pytest.param(name, marks=[pytest.mark.cluster] if name in CLUSTERS else [])


@pytest.mark.parametrize("name", [row(name) for name in ENGINES if name not in OWN_FILE])
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


@pytest.mark.parametrize("name", OWN_FILE)
def test_the_contract_of_slow_starters_is_checked_in_their_own_file(name):
    assert name in ENGINES
    text = (ELSEWHERE / OWN_FILE[name]).read_text()
    assert "(EngineContract)" in text or "(OnACluster)" in text
