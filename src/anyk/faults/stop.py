"""Workers that fall silent."""

from dataclasses import dataclass

from anyk.faults.victims import Ending


@dataclass(frozen=True)
class Stop(Ending):
    """The worker falls silent for good, as by SIGSTOP; nobody is told.

    Its fields, ``probability``, ``ranks``, ``rounds`` and ``after_seconds``, are those of `anyk.faults.victims.Ending`.

    >>> from anyk.faults.base import Draw
    >>> Stop(ranks=(1,), after_seconds=0.5).fate(Draw(seed=0, round=0, rank=1))
    Fate(delay_seconds=0.5, end='stop', slowdown=1.0, corrupt=())
    """

    end = "stop"
