"""What a worker process does: one message after the other, blocks kept in between, one answer to each.

It looks at its cancel flag before each piece of work and, through `anyk.engines.work.checkpoint`, within.
"""

import contextlib
import os
import pickle
import sys
import traceback
from collections.abc import Callable
from typing import Any

from anyk.engines import work
from anyk.engines.base import Array, Cancelled, Ref
from anyk.engines.channel import Channel, Frame, Op, pack, unpack
from anyk.errors import AnykError, InputError


class Worker:
    """The blocks of one worker and the verbs on them.

    Args:
        channel: to the master, blocking.
        rank: the worker's position in the code.
    """

    def __init__(self, channel: Channel, rank: int) -> None:
        self._channel = channel
        self._rank = rank
        self._pid = os.getpid()
        self._store: dict[str, Any] = {}
        self._flags: Array | None = None

    def serve(self) -> None:
        """Answer until the master closes its end."""
        while True:
            try:
                for frame in self._channel.receive() or ():
                    self._channel.send(self._answer(frame))
            except (EOFError, ConnectionError):
                return

    def _answer(self, frame: Frame) -> Frame:
        try:
            answer = success(frame, VERBS[frame.op](self, frame))
        except BaseException as error:
            answer = failure(frame.seq, error, f"on worker {self._rank} (process {self._pid}):")
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        if os.getpid() != self._pid:
            # The work forked, and this is its child come back: it must not answer in its parent's name.
            os._exit(0)
        return answer

    def _hello(self, frame: Frame) -> None:
        self._flags = unpack(frame)

    def _put(self, frame: Frame) -> None:
        key, block = unpack(frame)
        self._store[key] = block

    def _run(self, frame: Frame) -> Any:
        if self._unwanted(frame.seq):
            raise Cancelled("cancelled before it started")
        fn, args, out = self._load(frame)
        values = [self._block(arg) if isinstance(arg, Ref) else arg for arg in args]
        with work.watching(lambda: self._unwanted(frame.seq)):
            result = fn(*values)
        if out is None:
            return result
        self._store[out] = result
        return None

    def _fetch(self, frame: Frame) -> Any:
        return self._block(unpack(frame))

    def _delete(self, frame: Frame) -> None:
        for key in unpack(frame):
            self._store.pop(key, None)

    def _load(self, frame: Frame) -> Any:
        try:
            return unpack(frame)
        except Exception as error:
            raise InputError(
                f"worker {self._rank} cannot load this work: {error}. Functions and classes must be importable by "
                "name on the worker, so not from a script's `__main__`."
            ) from error

    def _block(self, key: str) -> Any:
        if key not in self._store:
            raise InputError(f"worker {self._rank} holds no block {str(key)!r}: put it there first.")
        return self._store[key]

    def _unwanted(self, seq: int) -> bool:
        return self._flags is not None and bool(self._flags[seq % len(self._flags)])


VERBS: dict[Op, Callable[[Worker, Frame], Any]] = {
    Op.HELLO: Worker._hello,
    Op.PUT: Worker._put,
    Op.RUN: Worker._run,
    Op.FETCH: Worker._fetch,
    Op.DELETE: Worker._delete,
}


def success(frame: Frame, result: Any) -> Frame:
    """The answer that carries a result. Only a fetched block may be shared: a result is what it was at that moment."""
    try:
        return pack(Op.DONE, frame.seq, result, alias=frame.op is Op.FETCH)
    except AnykError:
        raise
    except Exception as error:  # whatever pickling the caller's objects raises
        raise InputError(f"the result of this work cannot be sent to the master: {error}") from error


def failure(seq: int, error: BaseException, where: str) -> Frame:
    """The answer that carries an exception and where it came from; what cannot travel becomes a RuntimeError."""
    text = where + "\n" + "".join(traceback.format_exception(error)).rstrip()
    try:
        if not isinstance(error, Exception):
            raise TypeError("would end the master")
        pickle.loads(pickle.dumps(error))
        return pack(Op.FAILED, seq, (error, text))
    except Exception:
        return pack(Op.FAILED, seq, (RuntimeError(f"{type(error).__qualname__}: {error}"), text))
