"""What is written down during a training run, update by update."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anyk.nn.guard_report import GuardReport
from anyk.nn.health import Health
from anyk.nn.runs import ErrorMap
from anyk.nn.soft_errors import STEPS

#: An error map has at most so many columns.
_COLUMNS = 120

#: What a record goes on from where there is nothing.
NOTHING: Mapping[str, Any] = {"losses": [], "accuracies": [], "struck": {}, "counts": {}}


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
        #: What earlier processes of the same run have counted.
        self._before: Counter[str] = Counter()
        self._struck: Counter[str] = Counter()
        #: Of each kind: (executed update, node).
        self._marks: dict[str, list[tuple[int, int]]] = {"injected": [], "located": []}

    def made(self, step: int, loss: float) -> None:
        """An update was made; one that is made again counts as the last time."""
        self._losses[step] = loss

    def measured(self, step: int, accuracy: float) -> None:
        """The accuracy after an update."""
        self._accuracies[step] = accuracy

    def executed(self, count: int | None = None) -> None:
        """An update was executed, to its end or not.

        Args:
            count: of all that were, where others have executed some without the nodes here.
        """
        self._executed = self._executed + 1 if count is None else count
        for event in self._health.events[self._seen :]:
            if event.kind in self._marks:
                self._marks[event.kind].append((self._executed - 1, event.node))
            if event.kind == "injected":
                self._struck[event.place.rpartition(" ")[2]] += 1
        self._seen = len(self._health.events)

    def moment(self, step: int, rollbacks: int) -> Moment:
        """How far it has come."""
        counts = self._before + self._health.counts
        return Moment(step, self._steps, self._losses.get(step), self._accuracies.get(step), rollbacks, counts)

    # --- of several processes -----------------------------------------------------------------------------------------

    def told(self, report: GuardReport) -> dict[str, Any]:
        """What a later process of the same run goes on from, as JSON holds it."""
        return {
            "step": report.useful,
            "losses": [[step, loss if math.isfinite(loss) else None] for step, loss in self._losses.items()],
            "accuracies": list(self._accuracies.items()),
            "struck": self._struck,
            "counts": self._before
            + self._health.counts
            + Counter({"executed": report.executed, "rollbacks": report.rollbacks}),
        }

    def take(self, told: Mapping[str, Any]) -> None:
        """Go on from what an earlier process has told."""
        self._losses.update({step: math.nan if loss is None else loss for step, loss in told["losses"]})
        self._accuracies.update(dict(told["accuracies"]))
        self._struck.update(told["struck"])
        self._before.update(told["counts"])

    def struck(self, here: Sequence[int]) -> NDArray[np.int64]:
        """Wrong numbers put into the nodes here: by step of the algorithm, then by column of the map, shape (L, …)."""
        own = {"injected": [mark for mark in self._marks["injected"] if mark[1] in here]}
        rows = np.array(self._error_map(own)["injected"], dtype=np.int64)[list(here)]
        kinds = np.zeros((len(here), len(STEPS)), dtype=np.int64)
        kinds[0] = [self._struck[step] for step in STEPS]
        return np.concatenate([kinds, rows], axis=1)

    # --- what comes of it ---------------------------------------------------------------------------------------------

    def outcome(self, report: GuardReport, struck: NDArray[np.int64] | None = None) -> dict[str, Any]:
        """What `anyk.nn.runs.Run` holds of it.

        Args:
            report: of the guard.
            struck: of all nodes, shape (P, …), see `struck`; default: all of them are here.
        """
        struck = self.struck(range(len(self._health.active))) if struck is None else struck
        counts, useful = self._before + self._health.counts, range(1, report.useful + 1)
        losses = (self._losses.get(step, math.nan) for step in useful)
        kinds = Counter(dict(zip(STEPS, struck[:, : len(STEPS)].sum(axis=0).tolist(), strict=True)))
        located = self._error_map({"located": self._marks["located"]})["located"]
        return {
            "steps": report.useful,
            "executed": self._before["executed"] + report.executed,
            "rollbacks": self._before["rollbacks"] + report.rollbacks,
            "errors_injected": kinds.total(),
            "errors_located": counts["located"],
            "blocks_regenerated": counts["regenerated"],
            "copies_refreshed": counts["refreshed"],
            "products_repeated": counts["repeated"],
            "nodes_evicted": counts["evicted"],
            "errors_by_step": {step: count for step, count in kinds.most_common() if count},
            "losses": tuple(loss if math.isfinite(loss) else None for loss in losses),
            "accuracies": tuple((step, self._accuracies[step]) for step in useful if step in self._accuracies),
            "error_map": ErrorMap(self._width, tuple(map(tuple, struck[:, len(STEPS) :].tolist())), located),
        }

    @property
    def _width(self) -> int:
        """Updates drawn together in one column of the map."""
        return math.ceil(max(1, self._executed) / _COLUMNS)

    def _error_map(self, marks: Mapping[str, list[tuple[int, int]]]) -> dict[str, tuple[tuple[int, ...], ...]]:
        """Node by executed update, updates drawn together where there are many."""
        shape = len(self._health.active), math.ceil(max(1, self._executed) / self._width)
        tables = {}
        for kind, marked in marks.items():
            table = np.zeros(shape, dtype=np.int64)
            at, nodes = np.array(marked, dtype=np.int64).reshape(-1, 2).T
            np.add.at(table, (nodes, at // self._width), 1)
            tables[kind] = tuple(map(tuple, table.tolist()))
        return tables
