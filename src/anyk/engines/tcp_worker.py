"""A worker process of the tcp engine, and who keeps several of them on a host: ``python -m anyk.engines.tcp``."""

import argparse
import contextlib
import json
import os
import queue
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from threadpoolctl import threadpool_limits

from anyk.engines import desk
from anyk.engines.tcp_peers import Peers
from anyk.engines.wire import Kind, Wire, greeted
from anyk.errors import ClusterError, InputError

#: How a worker ends: its engine was closed; the connection was lost, or there was none; the master has another key.
CLOSED, LOST, STRANGER = 0, 3, 4
#: Between two attempts to reach the master, in seconds.
PAUSE_SECONDS = 0.5


def serve(address: tuple[str, int], key: bytes, threads: int) -> int:
    """Work for the master at an address until it hangs up; how that ended."""
    try:
        with socket.create_connection(address, timeout=10.0) as end:
            wire = greeted(end, key, as_master=False)
            peers = Peers(end.getsockname()[0], key)
            words = {"host": socket.gethostname(), "pid": os.getpid(), "port": peers.port}
            wire.send(Kind.HELLO, 0, json.dumps(words).encode())
            with threadpool_limits(threads):
                _work(wire, peers)
    except ClusterError:
        return STRANGER
    except ConnectionError as error:
        # A master that finds the proof wrong hangs up.
        return STRANGER if "during the greeting" in str(error) else LOST
    except OSError:
        return LOST
    return CLOSED


def _work(wire: Wire, peers: Peers) -> None:
    """One message after the other, in this thread; another one reads, so that cancels are heard meanwhile."""
    here = desk.Desk(f"process {os.getpid()} on {socket.gethostname()}", reach=peers.reach)
    peers.serve(here)
    inbox: queue.SimpleQueue[tuple[int, bytes]] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(wire, here, inbox), daemon=True).start()
    while True:
        seq, message = inbox.get()
        wire.send(Kind.ANSWER, seq, here.reply(seq, message))


def _read(wire: Wire, here: desk.Desk, inbox: "queue.SimpleQueue[tuple[int, bytes]]") -> NoReturn:
    """Sort what comes; when the connection ends so does the process, whatever it does."""
    while True:
        try:
            frames = wire.receive()
        except (EOFError, OSError, ClusterError):
            os._exit(LOST)
        for kind, seq, payload in frames:
            if kind is Kind.WORK:
                inbox.put((seq, payload))
            elif kind is Kind.FLAG:
                here.flag(seq)
            elif kind is Kind.END:
                os._exit(CLOSED)


def started(address: tuple[str, int], key: bytes, threads: int) -> "subprocess.Popen[bytes]":
    """Start a worker process on this machine; the key goes in by a pipe, where nobody else sees it."""
    command = [sys.executable, "-m", "anyk.engines.tcp", "--alone", "--key-file", "-", "--threads", str(threads)]
    command += ["--connect", f"{address[0]}:{address[1]}"]
    child = subprocess.Popen(command, stdin=subprocess.PIPE)
    assert child.stdin is not None
    with contextlib.suppress(BrokenPipeError), child.stdin as pipe:
        pipe.write(key.hex().encode())
    return child


def end(child: "subprocess.Popen[bytes]") -> None:
    """Kill a worker process, also one that stands still."""
    child.kill()
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(5.0)


def keep(address: tuple[str, int], key: bytes, workers: int, threads: int, patience: float) -> int:
    """Keep so many workers going until the master closes its engine.

    Args:
        address: of the master.
        key: that it knows, too.
        workers: number of processes.
        threads: BLAS threads of each.
        patience: how long to go on trying to reach the master, in seconds.

    Returns:
        0 when the master ended the engine, else 1.
    """
    children = [started(address, key, threads) for _ in range(workers)]
    since, ended = [time.monotonic()] * workers, 0

    def stop(*_: object) -> NoReturn:
        raise SystemExit(1)

    signal.signal(signal.SIGTERM, stop)
    try:
        while ended < workers:
            time.sleep(PAUSE_SECONDS / 5)
            for number, child in enumerate(children):
                code = child.poll()
                if code is None or child.stdin is None:
                    continue
                if code == CLOSED:
                    ended, child.stdin = ended + 1, None
                    continue
                if code == STRANGER:
                    sys.stderr.write(f"anyk: the master at {address[0]}:{address[1]} does not know this key\n")
                    return 1
                lasted = time.monotonic() - since[number]
                if code == LOST and lasted < PAUSE_SECONDS * 4:
                    patience -= lasted + PAUSE_SECONDS
                    time.sleep(PAUSE_SECONDS)
                if patience <= 0:
                    sys.stderr.write(f"anyk: no master at {address[0]}:{address[1]}\n")
                    return 1
                children[number], since[number] = started(address, key, threads), time.monotonic()
    except KeyboardInterrupt:
        return 1
    finally:
        for child in children:
            end(child)
    return 0


def key_of(file: Path) -> bytes:
    """The key in a file that only its owner can read.

    Raises:
        InputError: there is none, others can read it, or it is short.
    """
    try:
        if os.name == "posix" and file.stat().st_mode & 0o077:
            raise InputError(f"the key in {file} can be read by others than its owner: `chmod 600 {file}`.")
        key = file.read_bytes().strip()
    except OSError as error:
        raise InputError(f"there is no key in {file}: {error}") from error
    if len(key) < 32:
        raise InputError(f"the key in {file} is too short: make one with `python -m anyk.engines.tcp --new-key FILE`.")
    return key


def main(arguments: Sequence[str]) -> int:
    """The command ``python -m anyk.engines.tcp``; its exit code."""
    parser = argparse.ArgumentParser(prog="python -m anyk.engines.tcp", description=__doc__)
    parser.add_argument("--new-key", type=Path, metavar="FILE", help="make a key, and nothing else")
    parser.add_argument("--connect", metavar="HOST:PORT", help="where the master listens")
    parser.add_argument("--key-file", metavar="FILE", help="the key that the master knows, too")
    parser.add_argument("--workers", type=int, default=1, help="processes to keep here (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=0, help="BLAS threads of each; default: the cores, shared out")
    parser.add_argument("--patience", type=float, default=60.0, help="seconds to go on trying to reach the master")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.new_key is not None:
        descriptor = os.open(given.new_key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(32) + "\n")
        return 0
    if not given.connect or not given.key_file or given.workers < 1:
        parser.error("--connect HOST:PORT and --key-file FILE are needed, and at least one worker")
    host, _, port = given.connect.rpartition(":")
    if not port.isdecimal():
        parser.error(f"{given.connect!r} is not of the form HOST:PORT")
    if given.alone:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        return serve((host, int(port)), bytes.fromhex(sys.stdin.read()), given.threads)
    threads = given.threads or max(1, (os.cpu_count() or 1) // given.workers)
    try:
        return keep((host, int(port)), key_of(Path(given.key_file)), given.workers, threads, given.patience)
    except InputError as error:
        parser.error(str(error))
