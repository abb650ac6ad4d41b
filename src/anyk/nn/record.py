"""What is written down during a training run, update by update."""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from anyk.nn.guard_report import GuardReport
from anyk.nn.health import Health
from anyk.nn.runs import ErrorMap

#: An error map has at most so many columns.
_COLUMNS = 120


@dataclass(frozen=True)
class Moment:
    """How far a run has come.

    Args:
        step: updates that count, so far.
        steps: updates asked for.
        loss: of the last update; None: there is none.
        accuracy: on the test samples, weights verified, where it was measured after this update.
        rollbacks: so far.
        counts: what happened to nodes so far: ``"injected"``, ``"located"``, ``"regenerated"``, …
    """

    step: int
    steps: int
    loss: float | None
    accuracy: float | None
    rollbacks: int
    counts: Mapping[str, int]


class Record:
    """Everything that happens during a run, whether it counts or is rolled back.

    Args:
        health: of the nodes.
        steps: updates asked for.
    """

    def __init__(self, health: Health, steps: int) -> None:
        self._health, self._steps = health, steps
        self._executed = self._seen = 0
        self._losses: dict[int, float] = {}
        self._accuracies: dict[int, float] = {}
        self._struck: Counter[str] = Counter()
        #: Of each kind: (executed update, node).
        self._marks: dict[str, list[tuple[int, int]]] = {"injected": [], "located": []}

    def made(self, step: int, loss: float) -> None:
        """An update was made; one that is made again counts as the last time."""
        self._losses[step] = loss

    def measured(self, step: int, accuracy: float) -> None:
        """The accuracy after an update."""
        self._accuracies[step] = accuracy

    def executed(self) -> None:
        """An update was executed, to its end or not."""
        for event in self._health.events[self._seen :]:
            if event.kind in self._marks:
                self._marks[event.kind].append((self._executed, event.node))
            if event.kind == "injected":
                self._struck[event.place.rpartition(" ")[2]] += 1
        self._seen = len(self._health.events)
        self._executed += 1

    def moment(self, step: int, rollbacks: int) -> Moment:
        """How far it has come."""
        counts = Counter(self._health.counts)
        return Moment(step, self._steps, self._losses.get(step), self._accuracies.get(step), rollbacks, counts)

    def outcome(self, report: GuardReport) -> dict[str, Any]:
        """What `anyk.nn.runs.Run` holds of it."""
        counts, useful = self._health.counts, range(1, report.useful + 1)
        losses = (self._losses[step] for step in useful)
        return {
            "steps": report.useful,
            "executed": report.executed,
            "rollbacks": report.rollbacks,
            "errors_injected": counts["injected"],
            "errors_located": counts["located"],
            "blocks_regenerated": counts["regenerated"],
            "copies_refreshed": counts["refreshed"],
            "products_repeated": counts["repeated"],
            "nodes_evicted": counts["evicted"],
            "errors_by_step": dict(self._struck.most_common()),
            "losses": tuple(loss if math.isfinite(loss) else None for loss in losses),
            "accuracies": tuple((step, self._accuracies[step]) for step in useful if step in self._accuracies),
            "error_map": self._error_map(),
        }

    def _error_map(self) -> ErrorMap:
        """Node by executed update, updates drawn together where there are many."""
        width = math.ceil(max(1, self._executed) / _COLUMNS)
        shape = len(self._health.active), math.ceil(max(1, self._executed) / width)
        tables = {}
        for kind, marks in self._marks.items():
            table = np.zeros(shape, dtype=np.int64)
            at, nodes = np.array(marks, dtype=np.int64).reshape(-1, 2).T
            np.add.at(table, (nodes, at // width), 1)
            tables[kind] = tuple(map(tuple, table.tolist()))
        return ErrorMap(width, **tables)
