"""What tests of the verbs share: matrices, errors, and what can be done to workers."""

import os
import signal
from pathlib import Path

import numpy as np

from anyk.faults import Fate
from tests.engines.test_processes import is_running, state_of, until

__all__ = ["relative", "fates", "stop", "resume", "kill", "held", "until", "state_of", "FOREVER"]

#: A delay nobody waits for.
FOREVER = Fate(delay_seconds=1e6)


class fates:
    """A fault model written down: the fate of each rank's pieces of work, in order; none after that."""

    def __init__(self, by_rank):
        self.by_rank = by_rank

    def fate(self, draw):
        mine = self.by_rank.get(draw.rank, [])
        return mine[draw.round] if draw.round < len(mine) else Fate()


def relative(value, true) -> float:
    return float(np.linalg.norm(value - true) / np.linalg.norm(true))


def stop(lane) -> None:
    os.kill(lane.pid, signal.SIGSTOP)


def resume(lane) -> None:
    os.kill(lane.pid, signal.SIGCONT)


def kill(lane) -> None:
    """Kill a worker behind the engine's back, and wait until it is gone."""
    os.kill(lane.pid, signal.SIGKILL)
    until(lambda: not is_running(lane.pid))


def held(pid: int | str = "self") -> tuple[int, int, int]:
    """Open descriptors, mapped shared blocks and threads of a process."""
    maps = Path(f"/proc/{pid}/maps").read_text()
    return (
        len([*Path(f"/proc/{pid}/fd").iterdir()]),
        maps.count("memfd:anyk"),
        len([*Path(f"/proc/{pid}/task").iterdir()]),
    )
