"""What is known of each node: who was caught, what was mended, and who is no longer asked."""

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Event:
    """Something that happened to one node.

    Args:
        step: updates made before it.
        node: whose copy.
        kind: ``"injected"`` (a fault model hit it), ``"located"`` (its answer was thrown out), ``"regenerated"`` (its
            stored block was wrong and was rebuilt), ``"refreshed"`` (its copy of replicated numbers was wrong and was
            replaced), ``"evicted"``.
        place: layer and phase.
    """

    step: int
    node: int
    kind: str
    place: str


class Health:
    """The nodes' record, the same at every node because all of them see the same answers.

    Args:
        nodes: P.
        evict_after: a node caught in this many of the last ``window`` products of its own is no longer asked; 0: never.
        window: products looked back at.
    """

    def __init__(self, nodes: int, evict_after: int = 0, window: int = 40) -> None:
        self.active = np.ones(nodes, dtype=bool)
        self.suspicion = np.zeros(nodes, dtype=np.int64)
        self.step = 0
        self.events: list[Event] = []
        self.counts: Counter[str] = Counter()
        self.caught: set[int] = set()
        self._evict_after = evict_after
        self._recent: deque[frozenset[int]] = deque(maxlen=window)

    def note(self, kind: str, nodes: Iterable[int], place: str) -> None:
        """Write down what happened to some nodes."""
        for node in nodes:
            self.counts[kind] += 1
            self.events.append(Event(self.step, int(node), kind, place))

    def screened(self, wrong: Iterable[int], place: str, needed: int) -> None:
        """One product was screened.

        Args:
            wrong: nodes whose answers were thrown out.
            place: layer and phase.
            needed: so many nodes must stay, whatever they do.
        """
        caught = frozenset(wrong)
        self._recent.append(caught)
        if not caught:
            return
        self.note("located", caught, place)
        self.caught |= caught
        self.suspicion[list(caught)] += 1
        if not self._evict_after:
            return
        for node in caught:
            times = sum(node in seen for seen in self._recent)
            if self.active[node] and times >= self._evict_after and self.active.sum() > needed:
                self.active[node] = False
                self.note("evicted", [node], place)

    def told(self) -> dict[str, Any]:
        """What decides who is asked from now on, as plain values."""
        recent = [sorted(seen) for seen in self._recent] if self._evict_after else []
        return {"active": self.active.tolist(), "step": self.step, "recent": recent}

    def take(self, told: Mapping[str, Any]) -> None:
        """What another node has `told`."""
        self.active[:], self.step = told["active"], told["step"]
        self._recent.clear()
        self._recent.extend(map(frozenset, told["recent"]))

    def error_map(self, kind: str = "injected") -> NDArray[np.int64]:
        """How often something happened, node by step, shape (P, steps + 1)."""
        counted = np.zeros((len(self.active), self.step + 1), dtype=np.int64)
        for event in self.events:
            if event.kind == kind and event.step <= self.step:
                counted[event.node, event.step] += 1
        return counted
