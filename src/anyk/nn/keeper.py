"""What there is to go back to: the last verified state, in memory and in files, and the way back to it."""

import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from anyk.errors import InputError, LeftOut, Uncorrectable
from anyk.nn.checkpoint import Checkpoints, Unusable, Unwritable
from anyk.nn.handover import hand_over
from anyk.nn.inventory import Inventory
from anyk.nn.state import State


class Keeper:
    """Saves the state of a run, and puts it back.

    Args:
        inventory: of the run.
        files: where it is saved.
        clock: seconds, ascending.

    Attributes:
        step: updates that the model has behind it.
        saved: ... and the state to go back to.
        written: the last state that is in files.
        returns: how often another state was put in place.
        rollbacks: how often because something was wrong.
        checkpoints: saved.
        unsaved: states that could not be written to the disk.
        joined: how often the node here became one of the others again.
        kept: a copy of the saved state, in memory.
        history: what happened, in words, the last 1000.
        seconds: spent in verifying, saving and rolling back.
    """

    def __init__(self, inventory: Inventory, files: Checkpoints, clock: Callable[[], float]) -> None:
        self.inventory, self.files = inventory, files
        self.step = self.saved = self.returns = self.rollbacks = self.checkpoints = self.unsaved = self.joined = 0
        self.written: int | None = None
        self.seconds = {"verify": 0.0, "save": 0.0, "rollback": 0.0}
        self._clock = clock
        self.kept: State | None = None
        self.history: deque[str] = deque(maxlen=1000)

    @property
    def has_something(self) -> bool:
        """There is a state to go back to."""
        return bool(self.files.good) or self.kept is not None

    def is_kept(self, written: bool) -> bool:
        """The state to go back to is there, and in files if it has to be."""
        return self.has_something and (not written or self.written == self.saved)

    def save(self, *, must: bool) -> None:
        """Keep the state, which was verified, in memory and in files.

        Args:
            must: where it cannot be written, stop; else warn, go on with the copy in memory, and try the next one.

        Raises:
            InputError: it cannot be written, and it must be, or there is no earlier one; nothing has changed.
        """
        with self.timed("save"):
            state = self.inventory.state(self.step)
            try:
                self.files.write(state)
                self.checkpoints += 1
                self.written = self.step
            except Unwritable as problem:
                if must or not self.files.good:
                    raise
                self.unsaved += 1
                self.history.append(str(problem))
                warnings.warn(str(problem), RuntimeWarning, stacklevel=2)
            self.kept = None  # two copies at most
            self.kept = state.copied()
        self.saved = self.step

    def verified(self) -> bool:
        """Everything stored is right now; False: because it was rolled back.

        Raises:
            Uncorrectable: it is not, and there is nothing to go back to.
        """
        with self.timed("verify"):
            try:
                self.inventory.verify()
                return True
            except Uncorrectable as problem:
                failed = str(problem)
        self.roll_back(f"verification: {failed}")
        return False

    def roll_back(self, why: str) -> None:
        """To the last state: from memory, and from the files where the copy there is spoilt.

        Raises:
            Uncorrectable: there is none.
            InputError: the copy is spoilt and no files can be used.
        """
        if not self.has_something:
            raise Uncorrectable(f"Guard: {why} And there is no checkpoint to go back to.")
        broken = self.step
        with self.timed("rollback"):
            try:
                if self.kept is None:
                    raise Uncorrectable("there is no copy in memory")
                self.put_back(self.kept)
                self.inventory.verify()
            except Uncorrectable:
                self.restore()
        self.rollbacks += 1
        self.history.append(f"step {broken}: rolled back to {self.step}: {why}")

    def restore(self) -> int:
        """To the newest checkpoint that can be used, as the files have it.

        Returns:
            Its step.

        Raises:
            InputError: no checkpoint can be used, or it is of another model; the model is as it was.
        """
        reasons = []
        for number in reversed(self.files.steps()):
            try:
                state, lost = self.files.read(number)
                self.inventory.regenerate(state, list(lost))
            except (Unusable, Uncorrectable) as problem:
                reasons.append(f"step {number}: {problem}")
                continue
            self.files.adopt(number)
            self.put_back(state)
            self.kept, self.written = state, number
            self.history.extend([*reasons, *(f"step {number}: node {node}: {why}" for node, why in lost.items())])
            self.history.append(f"step {number}: restored from the files")
            return number
        raise InputError(
            f"Guard: no checkpoint in {self.files.directory} can be used: {'; '.join(reasons) or 'there is none'}. "
            "Bring back some of the files, or start anew in another directory."
        )

    def put_back(self, state: State) -> None:
        """Everything as it was."""
        self.returns += 1
        self.inventory.put_back(state)
        self.step = self.saved = state.step

    def let_in(self, nodes: list[int], counts: Sequence[int]) -> list[int]:
        """Everybody gives what it holds to nodes that have just come, and all of them save: now they are alike.

        Where the others hold too much that is wrong, all of them go back to the files.

        Args:
            nodes: who comes.
            counts: of the guard here.

        Returns:
            The counts of the others.
        """
        self.returns += 1
        try:
            self.step, *others = hand_over(self.inventory, [self.step, *counts], nodes)
        except Uncorrectable as problem:
            self.history.append(f"step {self.step}: ranks {nodes} could not be given what the others hold: {problem}")
            self.restore()
            return list(counts)
        self.save(must=False)
        return others

    def join(self, why: str, counts: Sequence[int]) -> list[int]:
        """Become one of the others again, who are somewhere else by now.

        Args:
            why: it was not.
            counts: of the guard here.

        Returns:
            The counts of the others.
        """
        broken, collective = self.step, self.inventory.collective
        while True:
            came = collective.join()  # whole hosts come back at once: who else is new must be known to all
            try:
                others = self.let_in(came, counts)
                break
            except LeftOut as problem:
                why = str(problem)
        self.joined += 1
        self.history.append(f"step {broken}: joined the others at step {self.step}: {why}")
        return others

    @contextmanager
    def timed(self, what: str) -> Iterator[None]:
        """Time that counts as ``what``."""
        began = self._clock()
        try:
            yield
        finally:
            self.seconds[what] += self._clock() - began
