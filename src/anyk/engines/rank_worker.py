"""A worker's rank: it works for the engine that is open on rank 0, until that rank ends."""

import contextlib
import os
import socket
import time
from collections.abc import Callable, Iterable
from typing import Any

from threadpoolctl import threadpool_limits

from anyk.engines import desk, limits
from anyk.engines.base import Cancelled, Unreachable
from anyk.engines.ranks import END, ENDING, Tag, World

#: Blocks of other ranks that are kept for work that has not begun.
MOST_GIVEN = 32


class _Rank:
    """What a worker's rank keeps: a desk for the engine that is open."""

    def __init__(self, found: World) -> None:
        self._world = found
        self._name = f"rank {found.comm.rank} (process {os.getpid()})"
        self._session = 0
        self._desk = self._fresh_desk()
        #: (rank, number) -> what that rank gave.
        self._given: dict[tuple[int, int], Any] = {}
        self._forgotten: set[tuple[int, int]] = set()
        self._has_ended = False

    def serve(self) -> None:
        """Work until rank 0 ends."""
        hello = desk.dumped((socket.gethostname(), os.getpid()))
        self._world.send(0, Tag.ANSWER, 0, 0, hello)
        looks = 0
        while not self._has_ended:
            self._obey()
            self._take(range(1, self._world.comm.size))
            came = self._see(Tag.WORK)
            for session, seq, message in came:
                self._work(session, seq, message)
            looks = 0 if came else looks + 1
            if (seconds := self._world.nap(looks, looks < 1000)) > 0:
                time.sleep(seconds)

    def _work(self, session: int, seq: int, message: Any) -> None:
        self._enter(session)
        if session != self._session or self._has_ended:
            return
        answer = self._desk.reply(seq, message, lambda: self._is_unwanted(session, seq))
        if session == self._session and not self._has_ended:
            self._world.send(0, Tag.ANSWER, session, seq, answer)

    def _is_unwanted(self, session: int, seq: int) -> bool:
        self._obey()
        return self._has_ended or session != self._session or self._desk.is_flagged(seq)

    def _obey(self) -> None:
        for session, seq, _ in self._see(Tag.CONTROL):
            if session == END:
                self._has_ended = True
                self._world.dead |= {-1: "others"} if seq else {}
                return
            if session == ENDING:
                self._world.send(0, Tag.ANSWER, ENDING, 0)
                continue
            self._enter(session)
            if seq and session == self._session:
                self._desk.flag(seq)
        for session, number, words in self._see(Tag.GIVE):
            self._enter(session)
            if session == self._session:
                self._give(number, *desk.loaded(words))

    def _enter(self, session: int) -> None:
        """A new engine is open, or the last one closed: nothing of before is kept."""
        if session > self._session:
            self._session, self._desk = session, self._fresh_desk()
            self._given.clear()
            self._forgotten.clear()

    def _fresh_desk(self) -> desk.Desk:
        return desk.Desk(self._name, reach=self._reach)

    # --- blocks from rank to rank -------------------------------------------------------------------------------------

    def _give(self, number: int, key: str, target: int) -> None:
        """Send a block to another rank, or why not; without waiting."""
        try:
            given: Any = self._desk.hand_out(key)
        except Unreachable as error:
            given = error
        with contextlib.suppress(self._world.mpi.Exception):
            self._world.send(target, Tag.PART, self._session, number, desk.dumped(given))

    def _take(self, ranks: Iterable[int]) -> None:
        """Receive what other ranks give, also what nobody waits for any more: it would stay in MPI."""
        there = [rank for rank in ranks if rank != self._world.comm.rank and rank not in self._world.dead]
        came, wrong = self._world.advance(there, Tag.PART)
        for rank, session, number, words in came:
            self._enter(session)  # another rank's gift can come before the master's first word
            if session == self._session:
                self._given[rank, number] = words
        # Of work that was cancelled before it began, mostly.
        while len(self._given) > MOST_GIVEN:
            oldest = next(iter(self._given))
            del self._given[oldest]
            self._forgotten.add(oldest)
        self._world.dead |= wrong

    def _reach(self, away: desk.Away, unwanted: Callable[[], bool]) -> Any:
        """A block that another rank was told to give."""
        rank, number = away.way
        looks = 0
        while (rank, number) not in self._given:
            if (rank, number) in self._forgotten:
                raise Unreachable(f"block {away.key!r} came, and was forgotten among {MOST_GIVEN} others")
            if rank in self._world.dead:
                raise Unreachable(f"block {away.key!r} cannot be had: {self._world.dead[rank]}")
            if unwanted():
                raise Cancelled("cancelled while a block was on its way")
            self._take((rank,))
            looks += 1
            if (seconds := self._world.nap(looks, True)) > 0:
                time.sleep(seconds)
        given = desk.loaded(self._given.pop((rank, number)))
        if isinstance(given, Unreachable):
            raise given
        return given

    def _see(self, tag: Tag) -> list[tuple[int, int, Any]]:
        came, wrong = self._world.advance((0,), tag)
        if wrong:  # without rank 0 there is nobody to work for
            self._has_ended = True
            self._world.dead |= wrong
        return [(session, seq, payload) for _, session, seq, payload in came]


def serve(found: World) -> None:
    """Work for rank 0 until it ends."""
    beside = os.environ.get("OMPI_COMM_WORLD_LOCAL_SIZE") or os.environ.get("MPI_LOCALNRANKS") or found.comm.size
    with threadpool_limits(max(1, limits.cores() // int(beside))):
        _Rank(found).serve()
    found.finalize()
