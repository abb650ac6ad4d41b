"""Training that goes on whatever happens: verified checkpoints, and the way back to the last of them."""

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Literal, NoReturn, TypeVar

import torch
from torch import Tensor, nn

from anyk.errors import InputError, LeftOut, Uncorrectable
from anyk.nn.checkpoint import Checkpoints, Unusable
from anyk.nn.guard_report import GuardReport
from anyk.nn.interval import Interval
from anyk.nn.inventory import Inventory, State, Stateful
from anyk.nn.optim import CodedSGD

Result = TypeVar("Result")

#: Encode again when blocks are this many times as far from their code as screening expects. It forgives 4; 2 is what
#: rounding makes of the measurement itself in float64.
_DRIFT = 3.0

#: Blocks this far away are wrong, not drifted; the next product finds them.
_ERROR = 1000.0

#: ... and after so many updates.
_UPDATES = 10_000

#: A measurement is tried so often before the model counts as stuck.
_MEASUREMENTS = 10

#: Steps that may be executed, as a multiple of those that are to be made.
_PATIENCE = 3


class Step:
    """One attempt at one training step; ``with step:`` makes an uncorrectable product in it roll back.

    Attributes:
        number: of the step, from 0; also ``int(step)``, and where an index is asked for.
        done: it was made. False while it runs, and after a roll-back.
    """

    def __init__(self, guard: "Guard", number: int) -> None:
        self.number, self.done, self._guard, self._before = number, False, guard, guard._returns

    def __index__(self) -> int:
        return self.number

    def __repr__(self) -> str:
        return f"Step({self.number})"

    def __enter__(self) -> "Step":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if isinstance(problem, Uncorrectable):
            self._guard._roll_back(str(problem))
            return True
        if isinstance(problem, LeftOut):
            self._guard._join(str(problem))
            return True
        if problem is None:
            self._finish()
        return False

    def _finish(self) -> None:
        """Made, unless it was rolled back meanwhile."""
        if not self.done and self._guard._returns == self._before:
            self.done, self._guard._step, self._guard._broken_off = True, self.number + 1, False


class Guard:
    """Verifies, saves, and rolls back to the last checkpoint when more is wrong than the code corrects.

    After a roll-back earlier numbers come again; make the batch from the number, and the data rewind with the weights.
    What a checkpoint holds: all weights, velocities and buffers, settings of the optimizer, torch's random number
    generators, and the state of ``others``. Before each one everything stored is verified by random probes and wrong
    blocks are rebuilt; if that fails it is rolled back instead. Roll-backs take the state from a copy in memory, as
    large as the state itself, and from the files where the copy fails verification.

    When the directory holds checkpoints of the same model the guard starts from the newest that can be used: start the
    same program again after a crash, and it goes on. Files of some nodes may be lost or damaged: up to what the code
    bears, their blocks are regenerated from the others'.

    Args:
        module: from `anyk.nn.protect`, or with `CodedLinear` layers in it.
        optimizer: of its parameters.
        directory: of the checkpoints of this run and no other; made if need be.
        every: steps between checkpoints, at least 1, or ``"auto"``: what costs least time, see
            `anyk.nn.interval.best_interval`.
        others: whatever else must go back with the weights, with ``state_dict`` and ``load_state_dict``: schedules,
            samplers.
        clock: seconds, ascending.

    Raises:
        InputError: an unusable argument, checkpoints of another model, or none in the directory that can be used.

    >>> from tempfile import TemporaryDirectory
    >>> from anyk.nn import VirtualNodes, generalized_polydot, protect
    >>> model = protect(nn.Linear(4, 2), generalized_polydot(2, 2, nodes=8), VirtualNodes(8))
    >>> optimizer = CodedSGD(model.parameters(), lr=0.1)
    >>> with TemporaryDirectory() as directory:
    ...     guard = Guard(model, optimizer, directory, every=5)
    ...     for step in guard.steps(10):
    ...         with step:  # an uncorrectable product in here rolls back
    ...             optimizer.zero_grad()
    ...             model(torch.eye(4) * step.number).square().mean().backward()
    ...             optimizer.step()
    >>> guard.report().useful, guard.report().checkpoints, sorted(guard.export())
    (10, 3, ['bias', 'weight'])
    """

    def __init__(
        self,
        module: nn.Module,
        optimizer: CodedSGD,
        directory: str | PathLike[str],
        every: int | Literal["auto"] = "auto",
        *,
        others: Sequence[Stateful] = (),
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.module, self._clock = module, clock
        self._inventory = Inventory(module, optimizer, others)
        self._interval = Interval(every, self._inventory.usual)
        self._health = self._inventory.collective.health
        self._files = Checkpoints(Path(directory), self._inventory)
        self._kept: State | None = None
        self._step = self._saved = 0
        self._executed = self._rollbacks = self._returns = self._checkpoints = self._reencoded = 0
        self._drift, self._stuck, self._broken_off = 0.0, False, False
        self._seconds = {"verify": 0.0, "save": 0.0, "rollback": 0.0}
        self._history: deque[str] = deque(maxlen=1000)
        if self._files.steps() and not self._inventory.collective.under_way:
            self.restore()

    def __repr__(self) -> str:
        return f"Guard({type(self.module).__name__}, step {self._step}, {str(self._files.directory)!r})"

    @property
    def step(self) -> int:
        """Steps the model has behind it."""
        return self._step

    @property
    def interval(self) -> int:
        """Steps between checkpoints, at present."""
        return self._interval.steps

    # --- training -----------------------------------------------------------------------------------------------------

    def steps(self, total: int, *, limit: int | None = None) -> Iterator[Step]:
        """The steps from where the model is to ``total``, with those that come again; a checkpoint at the end.

        After an error, call it again to go on.

        Args:
            total: steps that the model is to have behind it.
            limit: steps that may be executed until then; default: three times as many as are missing.

        Raises:
            InputError: counts that are not such; the disk is full or cannot be written to.
            Uncorrectable: stuck: the limit is reached, or already the first state cannot be verified.
        """
        for name, count, least in (("total", total, 0), ("limit", limit, 1)):
            if count is not None and (type(count) is not int or count < least):
                raise InputError(f"`guard.steps({name}={count!r})` needs an integer of at least {least}.")
        missing = max(1, total - self._saved)
        return self._steps(total, _PATIENCE * missing if limit is None else limit)

    def _steps(self, total: int, limit: int) -> Iterator[Step]:
        if self._inventory.collective.under_way:
            self._join("it came later")
        if self._broken_off:
            self._roll_back("it was broken off")
        if not self._files.good:
            began = self._clock()
            self._inventory.verify()
            self._save()
            self._interval.save_took(self._clock() - began)
        first = self._executed
        while self._step < total or self._saved != self._step:
            try:
                if self._step < total:
                    if self._executed - first >= limit:
                        self._give_up(f"{limit} steps were executed and {self._step} of {total} are made")
                    while came := self._inventory.collective.boundary():
                        self._let_in(came)
                    yield from self._attempted()
                if self._saved != self._step and (self._step >= total or self._step - self._saved >= self.interval):
                    self.checkpoint()
            except LeftOut as problem:
                self._join(str(problem))

    def _attempted(self) -> Iterator[Step]:
        began, step, located = self._clock(), Step(self, self._step), self._health.counts["located"]
        self._executed += 1
        self._broken_off = True
        yield step
        step._finish()
        suspicious = step.done and self._health.counts["located"] != located
        if suspicious and _DRIFT < self._inventory.drift() < _ERROR and self._verified():
            self._reencode_if_due()
        self._interval.step_took(self._clock() - began)

    def checkpoint(self) -> bool:
        """Verify and save now; where verification fails, roll back.

        Returns:
            Whether the model is as it was, and saved.

        Raises:
            InputError: a step is under way; the disk is full or cannot be written to (training and earlier checkpoints
                are as they were).
            Uncorrectable: verification failed and there is no checkpoint to go back to.
        """
        if self._broken_off:
            raise InputError(f"guard.checkpoint(): step {self._step} is under way. Call it between steps.")
        began = self._clock()
        if not self._verified():
            return False
        if self._saved == self._step and self._files.good:
            return True
        self._reencode_if_due()
        self._save()
        self._interval.save_took(self._clock() - began)
        self._interval.measure(self._rollbacks, self._executed)
        return True

    def restore(self) -> int:
        """Go back to the newest checkpoint that can be used, as the files have it.

        Returns:
            Its step.

        Raises:
            InputError: no checkpoint can be used, or it is of another model; the model is as it was.
        """
        reasons = []
        for number in reversed(self._files.steps()):
            try:
                state, lost = self._files.read(number)
                self._inventory.regenerate(state, list(lost))
            except (Unusable, Uncorrectable) as problem:
                reasons.append(f"step {number}: {problem}")
                continue
            self._files.adopt(number)
            self._put_back(state)
            self._kept = state
            self._history.extend([*reasons, *(f"step {number}: node {node}: {why}" for node, why in lost.items())])
            self._history.append(f"step {number}: restored from the files")
            return number
        raise InputError(
            f"Guard: no checkpoint in {self._files.directory} can be used: {'; '.join(reasons) or 'there is none'}. "
            "Bring back some of the files, or start anew in another directory."
        )

    # --- what leaves the training -------------------------------------------------------------------------------------

    def evaluate(self, measure: Callable[[nn.Module], Result]) -> Result:
        """Measure the verified model, in evaluation mode and without gradients.

        Where verification fails, it is rolled back first. Where a product of the measurement is uncorrectable, it is
        measured again.

        Args:
            measure: called with the model, possibly more than once.

        Returns:
            What it returns.

        Raises:
            Uncorrectable: ten times in a row, or verification failed and there is no checkpoint.
        """
        for _ in range(_MEASUREMENTS):
            self._verified()
            modes = {part: part.training for part in self.module.modules()}
            try:
                for part in modes:
                    part.training = False
                with torch.no_grad():
                    return measure(self.module)
            except Uncorrectable as problem:
                self._history.append(f"step {self._step}: evaluation: {problem}")
            finally:
                for part, mode in modes.items():
                    part.training = mode
        self._give_up(f"the model could not be evaluated in {_MEASUREMENTS} attempts")

    def export(self) -> dict[str, Tensor]:
        """The verified weights as an ordinary ``state_dict``; where verification fails, those of the last checkpoint.

        Raises:
            Uncorrectable: verification failed and there is no checkpoint.
        """
        self._verified()
        return self._inventory.exported()

    def report(self) -> GuardReport:
        """What it has done so far."""
        counts = self._health.counts
        return GuardReport(
            useful=self._step,
            executed=self._executed,
            rollbacks=self._rollbacks,
            checkpoints=self._checkpoints,
            injected=counts["injected"],
            located=counts["located"],
            regenerated=counts["regenerated"],
            refreshed=counts["refreshed"],
            reencoded=self._reencoded,
            drift=self._drift,
            interval=self.interval,
            verify_seconds=self._seconds["verify"],
            save_seconds=self._seconds["save"],
            rollback_seconds=self._seconds["rollback"],
            stuck=self._stuck,
            history=tuple(self._history),
        )

    # --- forth and back -----------------------------------------------------------------------------------------------

    def _verified(self) -> bool:
        """Everything stored is right now; False: because it was rolled back."""
        with self._timed("verify"):
            try:
                self._inventory.verify()
                return True
            except Uncorrectable as problem:
                failed = str(problem)
        self._roll_back(f"verification: {failed}")
        return False

    def _reencode_if_due(self) -> None:
        """What is stored was verified just now."""
        self._drift = self._inventory.drift()
        if self._drift > _DRIFT or self._inventory.updates() >= _UPDATES:
            self._inventory.reencode()
            self._reencoded += 1
            self._history.append(f"step {self._step}: encoded again, drift {self._drift:.2g}")

    def _save(self) -> None:
        with self._timed("save"):
            state = self._inventory.state(self._step)
            self._files.write(state)
            self._kept = None  # two copies at most
            self._kept = state.copied()
        self._saved = self._step
        self._checkpoints += 1

    def _roll_back(self, why: str) -> None:
        if not self._files.good:
            raise Uncorrectable(f"Guard: {why} And there is no checkpoint to go back to.")
        with self._timed("rollback"):
            broken, self._broken_off = self._step, True
            try:
                if self._kept is None:
                    raise Uncorrectable("there is no copy in memory")
                self._put_back(self._kept)
                self._inventory.verify()
            except Uncorrectable:
                self.restore()
            self._broken_off = False
        self._rollbacks += 1
        self._interval.measure(self._rollbacks, self._executed)
        self._history.append(f"step {broken}: rolled back to {self._step}: {why}")

    def _join(self, why: str) -> None:
        """Become one of the others again, who are somewhere else by now."""
        broken = self._step
        self._inventory.collective.join()
        self._let_in(list(self._inventory.collective.here))
        self._history.append(f"step {broken}: joined the others at step {self._step}: {why}")

    def _let_in(self, nodes: list[int]) -> None:
        """Everybody gives what it holds to nodes that have just come, and all of them save: now they are alike."""
        own = [self._step, self._executed, self._rollbacks, self._interval.steps]
        counts = self._inventory.hand_over(own, nodes)
        self._step, self._executed, self._rollbacks, self._interval.steps = counts
        self._broken_off = False
        self._returns += 1
        self._save()

    def _put_back(self, state: State) -> None:
        self._returns += 1
        self._inventory.put_back(state)
        self._step = self._saved = state.step

    def _give_up(self, why: str) -> NoReturn:
        self._stuck = True
        last = f" The last: {self._history[-1]}" if self._history else ""
        raise Uncorrectable(
            f"Guard: stuck: {why}, after {self._rollbacks} roll-backs.{last} Use more nodes, a coarser grid, or "
            "shorter intervals between checkpoints."
        )

    @contextmanager
    def _timed(self, what: str) -> Iterator[None]:
        began = self._clock()
        try:
            yield
        finally:
            self._seconds[what] += self._clock() - began
