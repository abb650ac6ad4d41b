"""The zygote: one small process that forks every worker of an engine, so that the user's process never forks.

It has imported what workers need and owns no threads, so a worker is there in about a millisecond and the user's script
is never imported again. Nobody survives anybody. At the end of the master's socket the zygote kills and reaps its
workers, also stopped ones; where PR_SET_PDEATHSIG exists, the kernel wakes a stopped zygote when its master dies, and
kills the workers when their zygote dies.
"""

import contextlib
import ctypes
import gc
import os
import select
import signal
import socket
import subprocess
import sys
import traceback
from collections import deque
from typing import NoReturn

import numpy as np

from anyk.engines.channel import Channel, Frame, Op, pack, unpack
from anyk.engines.memory import Descriptor
from anyk.engines.worker import Worker
from anyk.errors import ClusterError

#: What BLAS and OpenMP libraries read when they are loaded.
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)

_BOOT = "import sys; sys.path[:] = {path}; from anyk.engines.zygote import main; main({end}, {master}, {threads})"
_PR_SET_PDEATHSIG, _PR_SET_NAME = 1, 15


class Nursery:
    """The master's end: a running zygote, asked for workers.

    Start it in a thread that lives as long as the workers shall, since the kernel takes the end of that thread for the
    death of the parent.

    Args:
        threads: BLAS threads per worker.

    Raises:
        ClusterError: no process could be started.
    """

    def __init__(self, threads: int) -> None:
        ours, theirs = socket.socketpair()
        try:
            self._process = _boot(theirs, threads)
        except OSError as error:
            ours.close()
            raise ClusterError(f"no process could be started for the workers: {error}") from error
        finally:
            theirs.close()
        ours.setblocking(False)
        self.channel = Channel(ours)

    @property
    def pid(self) -> int:
        """The zygote's process number."""
        return self._process.pid

    def fork(self, rank: int, epoch: int, end: Descriptor) -> None:
        """Ask for a worker that answers on ``end``; BORN or UNBORN, and one day GONE, come back on the channel.

        Raises:
            OSError: the zygote is gone.
        """
        self._process.send_signal(signal.SIGCONT)  # should somebody have stopped it
        self.channel.send(pack(Op.FORK, 0, (rank, epoch)).beside(end))

    def abandon(self) -> None:
        """Let go of the zygote without ending it: this process is a fork of its master."""
        self.channel.close()
        # Reaping is the master's; without this the handle would warn about a child that still runs.
        self._process.returncode = 0

    def close(self) -> None:
        """End the zygote and with it every worker; returns when it is gone."""
        self.channel.close()
        self._process.send_signal(signal.SIGCONT)
        try:
            self._process.wait(0.5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _boot(end: socket.socket, threads: int) -> "subprocess.Popen[bytes]":
    path = [os.path.abspath(entry) for entry in sys.path if isinstance(entry, str)]  # noqa: PTH100 – "" is the cwd
    code = _BOOT.format(path=path, end=end.fileno(), master=os.getpid(), threads=threads)
    return subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.DEVNULL,
        env=os.environ | dict.fromkeys(THREAD_VARIABLES, "1"),
        pass_fds=[end.fileno()],
    )


class Zygote:
    """The other end, in the zygote's process.

    Args:
        control: to the master, blocking.
        master: its process number.
        threads: BLAS threads per worker.
    """

    def __init__(self, control: Channel, master: int, threads: int) -> None:
        self._control = control
        self._master = master
        self._threads = threads
        self._pid = os.getpid()
        self._orders: deque[Frame] = deque()
        self._children: dict[int, tuple[int, int]] = {}
        self._bell, self._ringer = socket.socketpair()
        self._bell.setblocking(False)
        self._ringer.setblocking(False)
        # Both only ring the bell: a worker died, or the master did.
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGCONT, lambda *_: None)
        signal.set_wakeup_fd(self._ringer.fileno(), warn_on_full_buffer=False)

    def serve(self) -> None:
        """Fork and reap until the master is gone; then leave nobody behind."""
        poll = select.poll()
        poll.register(self._control.fileno(), select.POLLIN)
        poll.register(self._bell.fileno(), select.POLLIN)
        with contextlib.suppress(EOFError, ConnectionError):
            while os.getppid() == self._master:
                self._listen([number for number, _ in poll.poll()])
        self._end_all()

    def _listen(self, ready: list[int]) -> None:
        if self._bell.fileno() in ready:
            self._bell.recv(1 << 12)
            self._reap()
        if self._control.fileno() in ready:
            self._orders += self._control.receive() or ()
        while self._orders:
            self._fork(self._orders.popleft())

    def _fork(self, order: Frame) -> None:
        (end,) = order.descriptors
        rank, epoch = unpack(order.beside())
        try:
            pid = os.fork()
        except OSError as error:
            self._control.send(pack(Op.UNBORN, 0, (rank, epoch, str(error))))
            return
        if pid == 0:
            self._become_worker(rank, end)
        end.close()
        self._children[pid] = rank, epoch
        self._control.send(pack(Op.BORN, 0, (rank, epoch, pid)).beside(*_handle_of(pid)))

    def _become_worker(self, rank: int, end: Descriptor) -> NoReturn:
        status = 1
        try:
            follow_parent(self._pid, signal.SIGKILL)
            self._forget()
            prepare(rank, self._threads)
            Worker(Channel(socket.socket(fileno=end.take())), rank).serve()
            status = 0
        except BaseException:
            traceback.print_exc()
        os._exit(status)

    def _forget(self) -> None:
        """Close what belongs to the zygote; the ends of other workers are among the orders."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGCONT, signal.SIG_DFL)
        self._orders.clear()
        self._control.close()
        self._bell.close()
        self._ringer.close()

    def _reap(self) -> None:
        for pid in list(self._children):
            gone, status = os.waitpid(pid, os.WNOHANG)
            if gone:
                rank, epoch = self._children.pop(pid)
                self._control.send(pack(Op.GONE, 0, (rank, epoch, os.waitstatus_to_exitcode(status))))

    def _end_all(self) -> None:
        for pid in self._children:
            os.kill(pid, signal.SIGKILL)
        for pid in self._children:
            os.waitpid(pid, 0)


def main(end: int, master: int, threads: int) -> None:
    """Be the zygote of process ``master``, on socket ``end``."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the master's to handle; workers inherit this.
    follow_parent(master, signal.SIGCONT)
    _rename("anyk zygote")
    if threads > 1:
        import threadpoolctl  # noqa: F401 – loaded once here instead of in every worker
    gc.collect()
    gc.freeze()
    Zygote(Channel(socket.socket(fileno=end)), master, threads).serve()


def prepare(rank: int, threads: int) -> None:
    """Make a freshly forked process a worker: its name, its BLAS threads, its own random numbers."""
    _rename(f"anyk worker {rank}")
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(threads)))
    if threads > 1:
        import threadpoolctl

        threadpoolctl.threadpool_limits(threads)
    if "numpy.random" in sys.modules:
        # The legacy state was forked; work that uses it shall not see the same numbers on every worker.
        np.random.seed()  # noqa: NPY002


def follow_parent(parent: int, number: signal.Signals) -> None:
    """Have the kernel send a signal here when the parent dies; end this process now if that has happened already."""
    _prctl(_PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:
        os._exit(1)


def _rename(name: str) -> None:
    _prctl(_PR_SET_NAME, ctypes.c_char_p(name.encode()))


def _prctl(option: int, value: "int | ctypes.c_char_p") -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _handle_of(pid: int) -> list[Descriptor]:
    """A pidfd, which names this process and never a later one with its number; nothing where there is no such thing."""
    try:
        return [Descriptor(os.pidfd_open(pid))]
    except (AttributeError, OSError):
        return []
