"""Workers that die."""

from dataclasses import dataclass

from anyk.faults.victims import Ending


@dataclass(frozen=True)
class Crash(Ending):
    """The worker process dies, as by SIGKILL; the engine sees it at once.

    Its fields, ``probability``, ``ranks``, ``rounds`` and ``after_seconds``, are those of `anyk.faults.victims.Ending`.

    >>> from anyk.faults.base import Draw
    >>> Crash(ranks=(1,), after_seconds=0.5).fate(Draw(seed=0, round=0, rank=1))
    Fate(delay_seconds=0.5, end='crash', slowdown=1.0, corrupt=())
    """

    end = "crash"
