"""What a worker keeps and does, on engines whose messages travel by means that are not ours.

A message is a verb with its arguments, pickled on the master when the verb was called; an answer says whether it went
well, and what came of it. How both get there, and that messages come in the order they were sent, is for the engine.
"""

import contextlib
import pickle
import sys
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import numpy as np

from anyk.engines import work
from anyk.engines.base import Array, Cancelled, Ref, Unreachable
from anyk.errors import InputError

#: (whether it went well, the result or the exception, where the exception came from)
Answer = tuple[bool, Any, str]


@dataclass(frozen=True)
class Away:
    """A block of another worker, in a message: the engine's own way to it, and its key."""

    way: Any
    key: str


#: How a worker gets a block of another one; the second argument says whether it is still wanted.
Reach = Callable[[Away, Callable[[], bool]], Any]


def _unreachable(away: Away, _: Callable[[], bool]) -> Any:
    raise Unreachable(f"no way leads to the worker that has block {away.key!r}")


class Desk:
    """The blocks of one worker and the verbs on them.

    Args:
        name: of the worker, for messages.
        blocks: what it has to begin with.
        reach: gets a block of another worker.
    """

    def __init__(self, name: str, blocks: dict[str, Any] | None = None, reach: Reach = _unreachable) -> None:
        self._name, self._reach = name, reach
        self._store: dict[str, Any] = blocks or {}
        self._done = 0
        self._flags: set[int] = set()
        self._lock = threading.Lock()

    def flag(self, seq: int) -> None:
        """This message is not wanted any more; from any thread, at any time."""
        with self._lock:
            if seq > self._done:
                self._flags.add(seq)

    def is_flagged(self, seq: int) -> bool:
        """Whether this message is not wanted any more."""
        return seq in self._flags

    def hand_out(self, key: str) -> Any:
        """A block, for another worker; from any thread.

        Raises:
            Unreachable: there is none of that name.
        """
        if key not in self._store:
            raise Unreachable(f"{self._name} holds no block {key!r}")
        return self._store[key]

    def reply(self, seq: int, message: bytes, unwanted: Callable[[], bool] | None = None) -> bytes:
        """Do what a pickled message asks; the answer, pickled."""
        try:
            verb, *body = pickle.loads(message)
        except Exception as error:
            return packed(self._failure(_unknown(self._name, error)))
        return packed(self.answer(seq, verb, body, unwanted))

    def answer(self, seq: int, verb: str, body: list[Any], unwanted: Callable[[], bool] | None = None) -> Answer:
        """Do what a message asks.

        Args:
            seq: number of the message; each is larger than the one before.
            verb: put, run, fetch or delete.
            body: the verb's arguments.
            unwanted: whether the message is not wanted any more, where `flag` is not told.
        """
        asked = unwanted or (lambda: seq in self._flags)
        try:
            with work.watching(asked):
                return True, _VERBS[verb](self, asked, *body), ""
        except BaseException as error:
            return self._failure(error)
        finally:
            with self._lock:
                self._done = seq
                self._flags.discard(seq)
            with contextlib.suppress(Exception):
                sys.stdout.flush()

    def _failure(self, error: BaseException) -> Answer:
        text = f"on {self._name}:\n" + "".join(traceback.format_exception(error)).rstrip()
        return False, error if isinstance(error, Exception) else _plain(error), text

    # --- the verbs ----------------------------------------------------------------------------------------------------

    def _put(self, _: Callable[[], bool], key: str, block: Array) -> None:
        self._store[key] = block

    def _run(self, unwanted: Callable[[], bool], fn: Callable[..., Any], args: tuple[Any, ...], out: str | None) -> Any:
        if unwanted():
            raise Cancelled("cancelled before it started")
        result = fn(*[self._value(arg, unwanted) for arg in args])
        if out is None:
            return result
        self._store[out] = result
        return None

    def _fetch(self, _: Callable[[], bool], key: str) -> Any:
        return self._block(key)

    def _delete(self, _: Callable[[], bool], *keys: str) -> None:
        for key in keys:
            self._store.pop(key, None)

    def _value(self, arg: Any, unwanted: Callable[[], bool]) -> Any:
        if isinstance(arg, Away):
            return (_unreachable if arg.way is None else self._reach)(arg, unwanted)
        return self._block(arg) if isinstance(arg, Ref) else arg

    def _block(self, key: str) -> Any:
        if key not in self._store:
            raise InputError(f"{self._name} holds no block {str(key)!r}: put it there first.")
        return self._store[key]


_VERBS: dict[str, Callable[..., Any]] = {
    "put": Desk._put,
    "run": Desk._run,
    "fetch": Desk._fetch,
    "delete": Desk._delete,
}


def dumped(value: Any) -> bytes:
    """A value, ready to travel."""
    return pickle.dumps(value, protocol=5)


def loaded(data: Any) -> Any:
    """The value that has travelled."""
    return pickle.loads(data)


def message(verb: str, *body: Any) -> bytes:
    """A verb with its arguments, ready to travel; blocks are copied as they are now."""
    return pickle.dumps((verb, *body), protocol=5)


def packed(answer: Answer) -> bytes:
    """An answer, ready to travel; what cannot travel becomes a failure that says so."""
    well, value, where = answer
    try:
        data = pickle.dumps(answer, protocol=5)
        if not well:
            pickle.loads(data)  # exceptions that cannot be rebuilt from their arguments show it only here
        return data
    except Exception as error:
        told = InputError(f"the result of this work cannot be sent to the master: {error}") if well else _plain(value)
        return pickle.dumps((False, told, where), protocol=5)


def settle(future: "Future[Any]", answer: bytes | Answer) -> None:
    """Resolve a future with what a worker answered."""
    try:
        well, value, where = pickle.loads(answer) if isinstance(answer, bytes | bytearray | memoryview) else answer
    except Exception as error:
        future.set_exception(InputError(f"an answer cannot be loaded on the master: {error!r}"))
        return
    if well:
        future.set_result(value)
        return
    if where:
        value.add_note(where)
    future.set_exception(value)


def check_block(key: str, block: Any) -> Array:
    """The block as an array of numbers.

    Raises:
        InputError: it holds Python objects.
    """
    array = np.asarray(block)
    if array.dtype.hasobject:
        raise InputError(f"`put({key!r}, block)` needs a block of numbers; its dtype is {array.dtype}.")
    return array


def _plain(error: BaseException) -> RuntimeError:
    return RuntimeError(f"{type(error).__qualname__}: {error}")


def _unknown(name: str, error: Exception) -> InputError:
    return InputError(
        f"{name} cannot load this work: {error}. Functions and classes must be importable by name on the worker, so "
        "not from a script's `__main__`."
    )
