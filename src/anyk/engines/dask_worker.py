"""Both ends of a lane on a Dask worker: the actor that does the work, and the way to it."""

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

from anyk.engines import dask_inputs, desk
from anyk.engines.base import Cancelled, Unreachable
from anyk.engines.remote import RemoteLane
from anyk.engines.work import LOOK_SECONDS
from anyk.errors import InputError


class Actor:
    """What runs on a Dask worker: a desk, and a thread that works through its messages in order.

    Args:
        rank: of the lane.
    """

    def __init__(self, rank: int) -> None:
        import distributed

        self._worker = distributed.get_worker()
        self._desk = desk.Desk(f"worker {rank} (process {os.getpid()})", reach=self._reach)
        self._thread = ThreadPoolExecutor(1, f"anyk-lane-{rank}", initializer=self._settle)
        self._next = 1
        self._early: dict[int, asyncio.Event] = {}
        self._is_left = False

    async def hello(self) -> tuple[str, int]:
        """Host and process."""
        return socket.gethostname(), os.getpid()

    async def perform(self, seq: int, message: bytes) -> bytes:
        """The answer to a message, in the order of the numbers: on their way calls may overtake each other."""
        if seq != self._next:
            turn = self._early[seq] = asyncio.Event()
            await turn.wait()
        answer = asyncio.get_running_loop().run_in_executor(self._thread, self._work, seq, message)
        self._next += 1
        if (following := self._early.pop(self._next, None)) is not None:
            following.set()
        return await answer

    async def flag(self, seq: int) -> None:
        """This message is not wanted any more."""
        self._desk.flag(seq)

    def hand_out(self, key: str) -> Any:
        """A block, for another worker."""
        return self._desk.hand_out(key)

    async def publish(self, key: str, name: str) -> int:
        """Make a block data of this Dask worker, under another name; its bytes."""
        block = self._desk.hand_out(key)
        self._worker.update_data({name: block})
        return int(block.nbytes)

    async def leave(self) -> None:
        """No work goes on."""
        self._is_left = True

    def _settle(self) -> None:
        dask_inputs.here.worker = self._worker

    def _reach(self, away: desk.Away, unwanted: Callable[[], bool]) -> Any:
        """In the lane's thread: a block of another worker, straight from there."""
        asked = asyncio.run_coroutine_threadsafe(self._asked(away), self._worker.loop.asyncio_loop)
        while not (wait([asked], LOOK_SECONDS)).done:
            if unwanted():
                asked.cancel()
                raise Cancelled("cancelled while a block was on its way")
        return asked.result()

    async def _asked(self, away: desk.Away) -> Any:
        address, actor = away.way
        try:
            # In the other's event loop, so that it is no matter what that worker does meanwhile.
            said = await self._worker.rpc(address).actor_execute(
                actor=actor, function="hand_out", args=[away.key], kwargs={"separate_thread": False}
            )
        except OSError as error:
            raise Unreachable(f"the Dask worker {address} cannot be reached: {error}") from error
        if said["status"] != "OK":
            raise Unreachable(f"the Dask worker {address} has no block {away.key!r}: {said['exception']}")
        return said["result"]

    def _work(self, seq: int, message: bytes) -> bytes:
        return self._desk.reply(seq, message, lambda: self._is_left or self._desk.is_flagged(seq))


class Post:
    """The way to one actor.

    Args:
        engine: whose client speaks to it.
        lane: that is answered.
        actor: Dask's proxy.
        future: that keeps the actor alive.
        address: of its worker.
    """

    window = 16

    def __init__(self, engine: Any, lane: RemoteLane, actor: Any, future: Any, address: str) -> None:
        self._engine, self._lane, self._actor, self._future, self._address = engine, lane, actor, future, address

    def send(self, seq: int, message: bytes, /) -> None:
        """Call the actor."""
        self._engine.soon(self._exchange(seq, message))

    def flag(self, seq: int, /) -> bool:
        """Tell the actor."""
        self._engine.soon(ignored(self._actor.flag, seq))
        return True

    def weight(self, message: bytes, /) -> int:
        """Its size."""
        return len(message)

    def way(self, key: str, to: Any, /) -> tuple[str, str]:
        """Dask's names of the worker and of the actor."""
        return self._address, self._actor.key

    async def publish(self, key: str, name: str) -> int:
        """A block becomes data of Dask's."""
        size: int = await self._actor.publish(key, name)
        return size

    def end(self, *, kill: bool) -> None:
        """Let the actor go; on a cluster of the engine's own also its process, where that is asked for."""
        self._engine.soon(self._leave())
        if kill:
            self._engine.end_process(self._lane.pid)

    async def _leave(self) -> None:
        self._engine.vacated(self._lane, self._address)
        await ignored(self._actor.leave)
        self._future.release()

    async def _exchange(self, seq: int, message: bytes) -> None:
        try:
            answer = await self._actor.perform(seq, message)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # whatever way the worker, its scheduler or the network failed
            self._engine.suspected(self._lane, self._address, error)
        else:
            self._lane.heard(seq, answer)


async def ignored(method: Any, *args: Any) -> None:
    """Call an actor that may not be there any more."""
    with contextlib.suppress(Exception):
        await method(*args)


def scheduler_of(at: Any, security: Any) -> tuple[str, Any]:
    """Address and security of the scheduler that an engine is opened with.

    Raises:
        InputError: nothing of that kind.
    """
    if at is None or isinstance(at, str):
        return (at or "").removeprefix("dask://"), security
    if hasattr(at, "scheduler_info") and hasattr(at, "scheduler"):
        address = getattr(at, "scheduler_address", None) or at.scheduler.address
        return str(address), security or at.security
    raise InputError(f"`DaskEngine(at={at!r})` needs the address of a scheduler, a Dask client or a Dask cluster.")
