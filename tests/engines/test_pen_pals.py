"""The contract on an engine whose workers write letters: what `Far` means, without any cluster."""

from anyk.testing.engines import EngineContract
from tests.engines.pen_pals import PenPals


class TestPenPals(EngineContract):
    def make(self, workers):
        return PenPals(workers)
