"""What one worker owes: messages that wait, messages that were sent, and which of these are not wanted any more.

At most `WINDOW` messages are ahead of the worker; the rest wait, so that a stopped worker holds little and most
cancelled work never leaves the master. The worker answers every message once and in order: the oldest of those sent is
what it is doing. It sees the cancel flags in shared memory, one byte for each message, by sequence number modulo their
count.
"""

import time
from collections import OrderedDict
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, Literal

import numpy as np

from anyk.engines import memory
from anyk.engines.channel import Frame, Op

#: Messages a worker may have unanswered: enough that it never waits for the next, and that descriptors on their way to
#: many busy workers stay below the kernel's limit (the number of files one may open).
WINDOW = 16
#: Cancel flags; more than the window, so that no two messages share one.
FLAGS = 4096


@dataclass(slots=True)
class _Sent:
    seq: int
    is_work: bool
    flagged_at: float | None = None


class Ledger:
    """The messages of one lane; every method under the lane's lock."""

    def __init__(self) -> None:
        #: Shared with the worker: not 0 where a message is not wanted any more.
        self.flags = memory.zeros((FLAGS,), np.uint8)
        self._waiting: OrderedDict[Future[Any], Frame] = OrderedDict()
        self._sent: OrderedDict[Future[Any], _Sent] = OrderedDict()
        self._count = 0
        self._heard_at = time.monotonic()

    def enter(self, future: Future[Any], frame: Frame) -> None:
        """A message that waits for its turn."""
        self._waiting[future] = frame

    def draw(self) -> Frame | None:
        """The next message to send, if any may be sent; from now on it counts as sent."""
        while self._waiting and len(self._sent) < WINDOW:
            future, frame = self._waiting.popitem(last=False)
            if future.set_running_or_notify_cancel():
                self._count += 1
                self._sent[future] = _Sent(self._count, frame.op is Op.RUN)
                return Frame(frame.op, self._count, frame.payload, frame.descriptors)
        return None

    def answered(self) -> Future[Any]:
        """The worker answered: the future of the oldest message sent."""
        future, sent = self._sent.popitem(last=False)
        self.flags[sent.seq % FLAGS] = 0
        self._heard_at = time.monotonic()
        return future

    def cancel(self, future: Future[Any]) -> Literal["dequeued", "flagged", "running"]:
        """Take a message out, or flag it if it was sent; ``"running"`` where neither can be."""
        if self._waiting.pop(future, None) is not None:
            return "dequeued"
        sent = self._sent.get(future)
        if sent is None or not sent.is_work:
            return "running"
        sent.flagged_at = sent.flagged_at or time.monotonic()
        self.flags[sent.seq % FLAGS] = 1
        return "flagged"

    def silence(self, future: Future[Any]) -> float | None:
        """For how long the worker owes an answer to this flagged message through nobody's fault but its own.

        0.0 as long as wanted work is before it; None once it is answered.
        """
        sent = self._sent.get(future)
        if sent is None or sent.flagged_at is None:
            return None
        before = takewhile(lambda each: each is not sent, self._sent.values())
        if any(each.is_work and each.flagged_at is None for each in before):
            return 0.0
        return time.monotonic() - max(sent.flagged_at, self._heard_at)

    def pending(self) -> list[Future[Any]]:
        """The futures of all that is not answered."""
        return [*self._sent, *self._waiting]

    def clear(self) -> list[Future[Any]]:
        """Strike everything out; the futures that must still be told.

        A worker that has not noticed yet that it is lost does no more of it, so as not to write into blocks that its
        successor uses already.
        """
        self.flags[:] = 1
        told = [*self._sent, *(future for future in self._waiting if future.set_running_or_notify_cancel())]
        self._sent.clear()
        self._waiting.clear()
        return told
