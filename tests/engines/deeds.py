"""Work for worker processes; in a module, so that workers can import it by name."""

import contextlib
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import threadpoolctl

from anyk.engines.base import Array
from anyk.engines.work import checkpoint, nap

_seen: list[Any] = []


def remember(item: Any) -> list[Any]:
    _seen.append(item)
    return list(_seen)


def same(*args: Any) -> Any:
    return args[0] if len(args) == 1 else args


def fill(block: Array, value: float) -> None:
    block[...] = value


def total(block: Array) -> float:
    return float(block.sum())


def ones(*shape: int) -> Array:
    return np.ones(shape)


def nested(n: int) -> dict[str, Any]:
    return {"big": np.arange(n), "more": [np.ones((n, 2)), "text"], "small": np.arange(3)}


def fail(text: str) -> NoReturn:
    raise LookupError(text)


class Awkward(Exception):
    """Cannot be rebuilt from its arguments."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


def fail_awkwardly() -> NoReturn:
    raise Awkward(1, 2)


def leave(code: int) -> NoReturn:
    sys.exit(code)


def die(code: int) -> NoReturn:
    os._exit(code)


def die_by(number: int) -> None:
    os.kill(os.getpid(), number)
    time.sleep(60)


def unpicklable() -> Any:
    return lambda: 0


def say(text: str) -> None:
    print(text)


def fork_and_return() -> int:
    """The child comes back from the work, too; it must not answer."""
    return os.fork()


def fork_and_die(seconds: float) -> NoReturn:
    """Die, but leave a child that holds what it inherited."""
    if os.fork() == 0:
        time.sleep(seconds)
        os._exit(0)
    os._exit(7)


def rest(seconds: float) -> str:
    nap(seconds)
    return "rested"


def spin(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        checkpoint()


def begin(begun: Array, seconds: float, how: Callable[[float], Any] = time.sleep) -> None:
    begun[...] = True
    how(seconds)


def blas_threads() -> set[int]:
    np.ones((8, 8)) @ np.ones((8, 8))
    return {each["num_threads"] for each in threadpoolctl.threadpool_info()}


def random_numbers() -> tuple[float, float]:
    return random.random(), float(np.random.random())  # noqa: NPY002 – the legacy state is what is forked


def ignores_interrupts() -> bool:
    return signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def open_descriptors() -> list[str]:
    found = []
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # the listing's own
            found.append(str(link.readlink()))
    return found
