"""A way to end a drive from another thread."""

from collections.abc import Callable
from threading import Lock
from typing import Any

from anyk.job.table import Step


class Interrupt:
    """Something that looks on at drives, one after the other, and can end them: given as their ``watch``.

    Args:
        watch: looks on, too; or None.

    >>> interrupt = Interrupt()
    >>> interrupt.now(KeyboardInterrupt())  # whatever is driven with it, now or later, raises this
    """

    def __init__(self, watch: Callable[[Step], None] | None = None) -> None:
        self._watch, self._lock = watch, Lock()
        self._tell: Callable[[Any], None] | None = None
        self._reason: BaseException | None = None

    def __call__(self, step: Step) -> None:
        """Let the onlooker see a step."""
        if self._watch is not None:
            self._watch(step)

    def attach(self, tell: Callable[[Any], None]) -> None:
        """A drive begins; it raises what it is told."""
        with self._lock:
            self._tell = tell
            if self._reason is not None:
                tell(self._reason)

    def now(self, reason: BaseException) -> None:
        """End what is driven: everything pending is cancelled, and the reason raised to whoever waits."""
        with self._lock:
            self._reason = reason
            if self._tell is not None:
                self._tell(reason)
