"""What is said to a worker and what it answers, as frames: work packed, answers given to their futures."""

from collections.abc import Callable
from concurrent.futures import Future
from functools import lru_cache
from types import FunctionType
from typing import Any

from anyk.engines import work
from anyk.engines.base import Ref
from anyk.engines.channel import Frame, Op, pack, unpack
from anyk.errors import AnykError, InputError
from anyk.faults.base import Fate


def request(fn: Callable[..., Any], args: tuple[Any, ...], out: str | None, fates: Callable[[], Fate] | None) -> Frame:
    """The message that has a worker run ``fn(*args)``, under the next of its fates, if there are any.

    Raises:
        InputError: ``fn`` or an argument cannot travel.
    """
    if getattr(fn, "__module__", None) == "__main__":
        raise InputError(
            f"`submit({_name(fn)})`: a worker cannot import {_name(fn)} from a script's `__main__`. Move it into a "
            "module."
        )
    try:
        if fates is not None and (fate := fates()) != Fate():
            return pack(Op.RUN, 0, (work.suffer, (fate, fn, *args), out))
        # other callables may change between two calls
        is_plain = type(fn) is FunctionType and all(type(each) is Ref for each in args)
        return _plain_request(fn, args, out) if is_plain else pack(Op.RUN, 0, (fn, args, out))
    except AnykError:
        raise
    except Exception as error:  # whatever pickling the caller's objects raises
        raise InputError(
            f"`submit({_name(fn)}, …)` cannot be sent to a worker: {error}. The function must be importable by "
            "name, and the arguments picklable."
        ) from error


def settle(future: Future[Any], answer: Frame) -> None:
    """Resolve a future with what a worker answered."""
    try:
        message = unpack(answer)
    except Exception as error:
        future.set_exception(InputError(f"an answer cannot be loaded on the master: {error!r}"))
        return
    if answer.op is Op.DONE:
        future.set_result(message)
        return
    raised, where = message
    raised.add_note(where)
    future.set_exception(raised)


@lru_cache(maxsize=4096)
def _plain_request(fn: Callable[..., Any], args: tuple[Ref, ...], out: str | None) -> Frame:
    """The message for work on stored blocks alone: the same for every product of a matrix that stays on the workers."""
    return pack(Op.RUN, 0, (fn, args, out))


def _name(fn: Callable[..., Any]) -> str:
    return getattr(fn, "__qualname__", repr(fn))
