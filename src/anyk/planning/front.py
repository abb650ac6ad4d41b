"""From many drafts to a few candidates: wait for the promising, build those near the front."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from anyk import codes
from anyk.code import Code
from anyk.planning.candidate import Candidate
from anyk.planning.costs import OPERATION_TIME, CostModel
from anyk.planning.drafts import KINDS, Drafts
from anyk.planning.kinds import EXACT, REPLICATION, Kind
from anyk.planning.prediction import Counts, Floats
from anyk.planning.request import Model, Request
from anyk.planning.verified import BUDGET_SECONDS, QUICK_SHARE, Numbers, Verified, build_seconds, verified
from anyk.planning.waiting import Task, Wait, Waiting

#: Drafts whose waiting is simulated: the most promising exact and approximate ones, and so many of every kind.
_PROMISING, _APPROXIMATE, _OF_EACH_KIND = 56, 16, 3

#: Candidates in a plan besides the best of every family; fewer where tables are large.
_SHOWN, _SHOWN_OF_MANY = 10, 4
_MANY_WORKERS = 200

#: A quick search sees few survivor sets, and errors have tails: one that shall do by itself must do so much better.
_TAIL = 20.0

#: Kinds that are shown only if they are among the best: others do the same with less.
_NEVER_ALONE = ("polydot", "random_khatri_rao", "found")


@dataclass(eq=False)
class Front:
    """From many drafts to a few candidates.

    Args:
        request: what is asked.
        costs: the speeds.
        waiting: the cluster as drawn.
        drafts: those with enough memory.
        counts: their costs.
        unbuilt: how many approximate codes near the front were too large to be built, or to be sure of.
    """

    request: Request
    costs: CostModel
    waiting: Waiting
    drafts: Drafts
    counts: Counts
    unbuilt: int = 0

    def candidates(self) -> list[Candidate]:
        """The best ones, and the best of every family."""
        shown = _SHOWN if self.request.workers <= _MANY_WORKERS else _SHOWN_OF_MANY
        budget, families, cuts, failed, found = (
            BUDGET_SECONDS,
            set[str](),
            set[object](),
            set[object](),
            list[Candidate](),
        )
        for row, wait in self._ordered():
            numbers = self._numbers(row)
            kind, cut = KINDS[numbers[0]], self._cut(numbers)
            # what errs too much with some spare workers does so with others
            same = cut, numbers[0], numbers[4]
            if (
                cut in cuts
                or same in failed
                or (len(found) >= shown and (kind.name in families or kind.name in _NEVER_ALONE))
            ):
                continue
            if QUICK_SHARE * build_seconds(numbers) > budget:
                self.unbuilt += len(found) == 0  # it would have been the fastest
                continue
            built, spent = self._built(numbers, budget)
            budget -= spent
            if built is None:
                failed.add(same)
                continue
            families.add(kind.name)
            cuts.add(cut)
            found.append(self._candidate(row, wait, built))
        return found

    def _built(self, numbers: Numbers, budget: float) -> tuple[Verified | None, float]:
        """The code if it does, and the seconds it took: a quick search first, which turns most of them down."""
        seconds, kind, dtype = build_seconds(numbers), KINDS[numbers[0]], self.request.dtype
        if not kind.quick:
            built = verified(numbers, dtype)
            return (built if self._is_good(built, kind) else None), 0.0
        quick, spent = verified(numbers, dtype, quick=True), QUICK_SHARE * seconds
        if not self._is_good(quick, kind):
            return None, spent
        if spent + seconds <= budget:
            thorough = verified(numbers, dtype)
            return (thorough if self._is_good(thorough, kind) else None), spent + seconds
        if self._is_good(quick, kind, margin=_TAIL):
            return quick, spent
        self.unbuilt += 1
        return None, spent

    def _cut(self, numbers: Numbers) -> object:
        """What makes two drafts one: exact codes of one partition, mirrored ones where that makes no difference."""
        kind, (rows, inner, cols) = KINDS[numbers[0]], numbers[1:4]
        if self.request.height == self.request.width:
            rows, cols = min(rows, cols), max(rows, cols)
        return rows, inner, cols, kind.name if kind not in EXACT else ""

    def _is_good(self, built: Verified | None, kind: Kind, *, margin: float = 1.0) -> bool:
        if built is None or built.code.is_complex != kind.is_complex:
            return False
        return self.request.tolerance is None or margin * built.error <= self.request.tolerance

    def _numbers(self, row: int) -> Numbers:
        each = self.drafts
        index, m, n, p, needed, workers = (
            int(column[row]) for column in (each.kind, each.rows, each.inner, each.cols, each.needed, each.workers)
        )
        return index, m, n, p, needed, workers

    def _ordered(self) -> Iterator[tuple[int, Wait]]:
        """Promising drafts by expected time; of equals well-conditioned bases and grids with more rows first."""
        own, timed = self._own_seconds(), []
        for row in self._promising():
            wait = self.waiting.of(self._task(row))
            if wait.lost < 1:
                seconds = float(own[row]) / (1 - wait.lost) + wait.mean
                timed.append(
                    (float(f"{seconds:.6e}"), int(self.drafts.kind[row]), -int(self.drafts.rows[row]), row, wait)
                )
        for *_, row, wait in sorted(timed, key=lambda each: each[:4]):
            yield row, wait

    def _own_seconds(self) -> Floats:
        """What the master does besides waiting."""
        each = self.counts
        return each.encode_seconds + each.decode_seconds + each.check_seconds + each.fixed_seconds

    def _promising(self) -> list[int]:
        """Rows with the smallest estimates, and the first ones of every kind."""
        if not len(self.drafts):
            return []
        estimates = self._own_seconds() + self._estimated_waits()
        order = np.argsort(estimates, kind="stable")
        exact = np.array([not kind.is_approximate for kind in KINDS])[self.drafts.kind[order]]
        chosen = dict.fromkeys(order[exact][:_PROMISING].tolist() + order[~exact][:_APPROXIMATE].tolist())
        for index in range(len(KINDS)):
            chosen |= dict.fromkeys(order[self.drafts.kind[order] == index][:_OF_EACH_KIND].tolist())
        return list(chosen)

    def _estimated_waits(self) -> Floats:
        """By quantiles of the delays; sending and fetching one after the other."""
        each, drafts = self.counts, self.drafts
        share = each.awaited / (drafts.workers + 1)
        copied = drafts.kind == KINDS.index(REPLICATION)
        # Half of the time the slowest of N least-of-c is below this quantile.
        part = 1 - (1 - 0.5 ** (1 / np.maximum(1, drafts.needed))) ** (1 / drafts.copies)
        waits = self.waiting.estimate(each.task_seconds, np.where(copied, part, share))
        if self.request.cores is not None:
            waits += np.maximum(0, each.awaited / self.request.cores - 1) * each.task_seconds
        return waits + np.maximum(each.awaited * each.send_seconds, each.awaited * each.fetch_seconds)

    def _task(self, row: int) -> Task:
        each, drafts = self.counts, self.drafts
        copied = int(drafts.kind[row]) == KINDS.index(REPLICATION)
        return Task(
            float(each.task_seconds[row]),
            float(each.send_seconds[row]),
            float(each.fetch_seconds[row]),
            1 + self.request.extra if copied else int(each.awaited[row]),
            int(drafts.workers[row]),
            int(drafts.needed[row]) if copied else 0,
        )

    def _candidate(self, row: int, wait: Wait, built: Verified) -> Candidate:
        each, code = self.counts, built.code
        own = float(self._own_seconds()[row])
        answers = int(np.ceil(each.awaited[row] - 1e-6))
        phases = {
            "encode": float(each.encode_seconds[row]),
            "upload": float(each.send_seconds[row]) * code.workers,
            "work": float(each.task_seconds[row]),
            "download": float(each.fetch_seconds[row]) * answers,
            "decode": float(each.decode_seconds[row]),
            "check": float(each.check_seconds[row]),
            "overhead": float(each.fixed_seconds[row]),
        }
        moved = sum(phases[phase] for phase in ("upload", "work", "download"))
        phases["delays"] = max(0.0, wait.mean * (1 - wait.lost) - moved)
        present = code.workers - self.request.stragglers
        return Candidate(
            code,
            KINDS[int(self.drafts.kind[row])].label,
            "",
            own / (1 - wait.lost) + wait.mean,
            own + wait.late,
            wait.lost,
            phases,
            answers,
            built.error,
            built.worst_error,
            float(each.operations[row]),
            float(each.memory[row]),
            float(each.upload[row]),
            float(each.download[row]),
            {
                "random": _correctable(code, present, "random"),
                "adversarial": _correctable(code, present, "adversarial"),
            },
        )


def _correctable(code: Code, answers: int, model: Model) -> int:
    return code.wrong_answers_correctable(answers, model=model)


def one_machine(request: Request, costs: CostModel) -> Candidate:
    """The whole product where the operands are."""
    time = OPERATION_TIME.get(request.dtype, 1.0)
    work = request.operations * time / costs.machine_operations
    entries = request.height * request.depth + request.depth * request.width + request.height * request.width
    moved = request.itemsize * entries / costs.worker_bytes
    return Candidate(
        codes.uncoded(1, 1, 1),
        "one machine",
        "",
        work + moved,
        work + moved,
        0.0,
        {"work": work + moved},
        1,
        request.noise,
        request.noise,
        request.operations,
        float(request.itemsize * entries),
        0.0,
        0.0,
        {"random": 0, "adversarial": 0},
    )
