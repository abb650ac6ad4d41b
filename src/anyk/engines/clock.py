"""Time as real workers tell it."""

import queue
import threading
import time
from typing import Any

from anyk.engines.base import Inbox


class RealClock:
    """Seconds of the machine's monotonic clock; waiting is a blocking read of the inbox."""

    def now(self) -> float:
        """Seconds since an arbitrary start; never goes back."""
        return time.monotonic()

    def wait(self, inbox: Inbox, until: float | None) -> Any | None:
        """The next thing put into ``inbox``, or None once the clock shows ``until`` (None: no limit)."""
        if until is None:
            return inbox.get()
        try:
            return inbox.get(True, min(max(until - self.now(), 0.0), threading.TIMEOUT_MAX))
        except queue.Empty:
            return None
