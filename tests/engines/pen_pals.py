"""An engine of threads that only write letters: pickled messages, blocks from worker to worker, and every mishap."""

import itertools
import queue
import threading

from anyk.engines import desk
from anyk.engines.base import Cancelled, Caps, Unreachable
from anyk.engines.fleet import FleetEngine

_posts = {}
_numbers = itertools.count()


class Post:
    """A worker and the way to it."""

    window = 16

    def __init__(self, engine, lane):
        self.engine, self.lane, self.number = engine, lane, next(_numbers)
        self.desk = desk.Desk(f"pen pal {lane.rank}", reach=self._reach)
        self.inbox = queue.SimpleQueue()
        self.going, self.ended = threading.Event(), threading.Event()
        self.going.set()
        _posts[self.number] = self
        threading.Thread(target=self._work, daemon=True).start()

    def send(self, seq, message, /):
        self.inbox.put((seq, message))

    def flag(self, seq, /):
        self.desk.flag(seq)
        return True

    def weight(self, message, /):
        return len(message)

    def way(self, key, to, /):
        return self.number

    def end(self, *, kill):
        self.ended.set()
        self.going.set()
        _posts.pop(self.number, None)
        self.inbox.put((0, b""))

    def _work(self):
        while True:
            seq, message = self.inbox.get()
            self.going.wait()
            if self.ended.is_set():
                return
            answer = self.desk.reply(seq, message, lambda seq=seq: self.ended.is_set() or self.desk.is_flagged(seq))
            self.going.wait()
            self.lane.heard(seq, answer)

    def _reach(self, away, unwanted):
        while (other := _posts.get(away.way)) is not None and not self.engine.is_parted:
            if other.going.wait(0.01):
                return self.engine.tampered(other.lane.rank, other.desk.hand_out(away.key))
            if unwanted():
                raise Cancelled("not wanted any more")
        raise Unreachable(f"pen pal {away.way} does not answer")


class PenPals(FleetEngine):
    """Lanes that are threads with a desk each.

    Args:
        workers: number of lanes.
        faults: fate of each piece of work.
    """

    name = "pen pals"
    caps = Caps(
        shared_memory=False,
        survives_loss=True,
        kill=True,
        respawn=True,
        remote=True,
        min_task_seconds=0.0,
        exchange=True,
    )

    def __init__(self, workers, faults=None):
        #: Workers do not reach each other any more.
        self.is_parted = False
        #: Rank -> what becomes of a block that this worker gives to another one.
        self.liars = {}
        super().__init__(workers, faults)
        self._muster()

    def tampered(self, rank, block):
        return self.liars.get(rank, lambda block: block)(block)

    def stop(self, rank):
        """A worker stands still."""
        self.lanes[rank].post.going.clear()

    def resume(self, rank):
        """It goes on."""
        if self.lanes[rank].post is not None:
            self.lanes[rank].post.going.set()

    def held(self):
        """Names of all blocks that workers keep."""
        return {name for lane in self.lanes for name in lane.post.desk._store}

    def _recruit(self, lane):
        self.arrived(lane, Post(self, lane), "here", None)

    def _release(self):
        pass
