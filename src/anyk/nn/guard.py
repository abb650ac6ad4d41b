"""Training that goes on whatever happens: verified checkpoints, and the way back to the last of them."""

import time
from collections.abc import Callable, Iterator, Sequence
from os import PathLike
from pathlib import Path
from typing import Literal, NoReturn, TypeVar

from torch import Tensor, nn

from anyk.errors import InputError, LeftOut, Uncorrectable
from anyk.nn.checkpoint import Checkpoints
from anyk.nn.evaluating import evaluating
from anyk.nn.guard_report import GuardReport
from anyk.nn.interval import Interval
from anyk.nn.inventory import Inventory
from anyk.nn.keeper import Keeper
from anyk.nn.optim import CodedSGD
from anyk.nn.reencoding import Reencoding
from anyk.nn.state import Stateful
from anyk.nn.step import Step

Result = TypeVar("Result")

#: A measurement is tried so often before the model counts as stuck.
_MEASUREMENTS = 10

#: Steps that may be executed, as a multiple of those that are to be made.
_PATIENCE = 3


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

    >>> import torch
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
        files = Checkpoints(Path(directory), self._inventory)
        self._keeper = Keeper(self._inventory, files, clock)
        self._history = self._keeper.history
        self._reencoding, self._executed = Reencoding(self._inventory), 0
        self._stuck = self._broken_off = False
        if files.steps() and not self._inventory.collective.under_way:
            self.restore()

    def __repr__(self) -> str:
        return f"Guard({type(self.module).__name__}, step {self.step}, {str(self._keeper.files.directory)!r})"

    @property
    def step(self) -> int:
        """Steps the model has behind it."""
        return self._keeper.step

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
        missing = max(1, total - self._keeper.saved)
        return self._steps(total, _PATIENCE * missing if limit is None else limit)

    def _steps(self, total: int, limit: int) -> Iterator[Step]:
        keeper, first, began = self._keeper, self._executed, False
        while not began or self.step < total or keeper.saved != self.step:
            try:
                if not began:
                    self._begin()
                    began = True
                elif self.step < total:
                    if self._executed - first >= limit:
                        self._give_up(f"{limit} steps were executed and {self.step} of {total} are made")
                    while came := self._inventory.collective.boundary():
                        self._counts = keeper.let_in(came, self._counts)
                    yield from self._attempted()
                if keeper.saved != self.step and (self.step >= total or self.step - keeper.saved >= self.interval):
                    self._checkpoint(must=self.step >= total)
            except LeftOut as problem:
                self._join(str(problem))

    def _begin(self) -> None:
        """Something to go back to, and nothing half-done."""
        if self._inventory.collective.under_way:
            self._join("it came later")
        if self._broken_off:
            self._roll_back("it was broken off")
        if not self._keeper.has_something:
            began = self._clock()
            self._inventory.verify()
            self._keeper.save(must=True)
            self._interval.save_took(self._clock() - began)

    def _attempted(self) -> Iterator[Step]:
        began, before, located = self._clock(), self._keeper.returns, self._health.counts["located"]
        self._executed += 1
        self._broken_off = True

        def finish() -> bool:
            if self._keeper.returns != before:
                return False
            self._keeper.step, self._broken_off = step.number + 1, False
            return True

        step = Step(self.step, finish, self._failed)
        yield step
        step.finish()
        suspicious = step.done and self._health.counts["located"] != located
        if suspicious and self._reencoding.looks_due and self._verified():
            self._reencode_if_due()
        self._interval.step_took(self._clock() - began)

    def _failed(self, problem: Exception) -> None:
        """A step was broken off by an uncorrectable product, or because the node here was left out."""
        try:
            if not isinstance(problem, LeftOut):
                self._roll_back(str(problem))
                return
        except LeftOut as left_out:
            problem = left_out
        self._join(str(problem))

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
            raise InputError(f"guard.checkpoint(): step {self.step} is under way. Call it between steps.")
        return self._checkpoint(must=True)

    def _checkpoint(self, *, must: bool) -> bool:
        began = self._clock()
        if not self._verified():
            return False
        if self._keeper.saved == self.step and self._keeper.is_kept(must):
            return True
        self._reencode_if_due()
        self._keeper.save(must=must)
        self._interval.save_took(self._clock() - began)
        self._interval.measure(self._keeper.rollbacks, self._executed)
        return True

    def restore(self) -> int:
        """Go back to the newest checkpoint that can be used, as the files have it.

        Returns:
            Its step.

        Raises:
            InputError: no checkpoint can be used, or it is of another model; the model is as it was.
        """
        return self._keeper.restore()

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
            try:
                with evaluating(self.module):
                    return measure(self.module)
            except Uncorrectable as problem:
                self._history.append(f"step {self.step}: evaluation: {problem}")
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
            useful=self.step,
            executed=self._executed,
            rollbacks=self._keeper.rollbacks,
            checkpoints=self._keeper.checkpoints,
            unsaved=self._keeper.unsaved,
            injected=counts["injected"],
            located=counts["located"],
            regenerated=counts["regenerated"],
            refreshed=counts["refreshed"],
            joined=self._keeper.joined,
            reencoded=self._reencoding.times,
            drift=self._reencoding.drift,
            interval=self.interval,
            verify_seconds=self._keeper.seconds["verify"],
            save_seconds=self._keeper.seconds["save"],
            rollback_seconds=self._keeper.seconds["rollback"],
            stuck=self._stuck,
            history=tuple(self._history),
        )

    # --- forth and back -----------------------------------------------------------------------------------------------

    def _verified(self) -> bool:
        """Everything stored is right now; False: because it was rolled back."""
        before, self._broken_off = self._broken_off, True
        good = self._keeper.verified()
        self._broken_off = before
        if not good:
            self._rolled_back()
        return good

    def _reencode_if_due(self) -> None:
        """What is stored was verified just now."""
        if done := self._reencoding.if_due():
            self._history.append(f"step {self.step}: {done}")

    def _roll_back(self, why: str) -> None:
        self._broken_off = True
        self._keeper.roll_back(why)
        self._rolled_back()

    def _rolled_back(self) -> None:
        self._broken_off = False
        self._interval.measure(self._keeper.rollbacks, self._executed)

    def _join(self, why: str) -> None:
        self._counts = self._keeper.join(why, self._counts)
        self._broken_off = False

    @property
    def _counts(self) -> list[int]:
        """What is the same at all nodes; settable."""
        return [self._executed, self._keeper.rollbacks, self._interval.steps]

    @_counts.setter
    def _counts(self, counts: list[int]) -> None:
        self._executed, self._keeper.rollbacks, self._interval.steps = counts

    def _give_up(self, why: str) -> NoReturn:
        self._stuck = True
        last = f" The last: {self._history[-1]}" if self._history else ""
        raise Uncorrectable(
            f"Guard: stuck: {why}, after {self._keeper.rollbacks} roll-backs.{last} Use more nodes, a coarser grid, or "
            "shorter intervals between checkpoints."
        )
