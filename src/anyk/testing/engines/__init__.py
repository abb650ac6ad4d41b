"""What every engine must do, as tests to run on your own.

Derive a class whose name starts with ``Test``, say how to make the engine, and let pytest find it::

    class TestSmokeSignals(EngineContract):
        def make(self, workers):
            return SmokeSignalEngine(workers)

What an engine says in its `Caps` that it cannot do is skipped. Nothing here depends on speed: ``patience`` bounds what
would otherwise hang.
"""

from anyk.testing.engines.blocks_and_work import BlocksAndWork
from anyk.testing.engines.cancelling import Cancelling
from anyk.testing.engines.exchanging import Exchanging
from anyk.testing.engines.losses import Losses
from anyk.testing.engines.time_and_end import TimeAndEnd

__all__ = ["EngineContract"]


class EngineContract(BlocksAndWork, Cancelling, Exchanging, Losses, TimeAndEnd):
    """The contract of `anyk.engines.base.Engine`; derive from it and override ``make``."""
