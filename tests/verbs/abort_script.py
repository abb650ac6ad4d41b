"""Runs that end badly, by the hundred: does anything stay behind?

    python -m tests.verbs.abort_script --count 1000 --seed 0

Each *victim* is a process that makes products on real workers, and aborts them: an exception in the middle, Ctrl-C at
any moment, the engine closed by another thread. After each it looks at itself: descriptors, shared blocks, threads and
child processes must be what they were. At last it is killed, interrupted for good, or ends. Then this script looks at
the machine: no process that carries the victim's mark, no named shared memory, no temporary file.
"""

import argparse
import contextlib
import gc
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

import anyk
from anyk.errors import ClusterError

#: In the environment of a victim and of all its descendants.
MARK = "ANYK_ABORT_SCRIPT"
#: Aborted runs of one victim.
RUNS = 12
#: Far more than anything here takes.
LONG = 60.0

CODES = [
    anyk.codes.mds(2, workers=4),
    anyk.codes.matdot(2, workers=4),
    anyk.codes.generalized_polydot(1, 2, 2, workers=6),
    anyk.codes.matdot(2, workers=4, basis="unit_circle"),
]


class Abort(BaseException):
    """What no library catches."""


# --- a victim ---------------------------------------------------------------------------------------------------------


class Victim:
    """Products that are aborted, in this process.

    Args:
        seed: of everything random.
    """

    def __init__(self, seed: int) -> None:
        self.random, self.rng = random.Random(seed), np.random.default_rng(seed)
        self.struck = threading.Event()

    def run(self, count: int) -> None:
        """Abort so many runs; afterwards all is as before."""
        signal.signal(signal.SIGINT, self.strike)
        for _ in range(2):
            self.multiply("processes")
        settle(lambda: possessions()["shared blocks"], 0, "before the runs")
        before = possessions()
        for number in range(count):
            way = self.random.choice([self.by_exception, self.by_interrupt, self.by_closing, self.by_interrupt])
            way()
            settle(possessions, before, f"run {number}, {way.__name__}")

    # ways to abort

    def by_exception(self) -> None:
        with self.engine() as engine, contextlib.suppress(Abort):
            self.multiply(engine, self.random.randrange(8))

    def by_interrupt(self) -> None:
        """Ctrl-C at a random moment, also while an engine opens or closes."""
        self.struck.clear()
        blow = threading.Timer(self.random.uniform(0.0, 0.25), os.kill, (os.getpid(), signal.SIGINT))
        with contextlib.suppress(KeyboardInterrupt):
            blow.start()
            with self.engine() as engine:
                self.multiply(engine)
            while not self.struck.is_set():
                time.sleep(0.001)
        assert self.struck.wait(LONG)

    def by_closing(self) -> None:
        with anyk.engines.open("processes:4") as engine:
            closing = threading.Timer(self.random.uniform(0.0, 0.05), engine.close)
            closing.start()
            with contextlib.suppress(ClusterError):
                while True:
                    self.multiply(engine)
            closing.join()

    @contextlib.contextmanager
    def engine(self) -> Iterator[object]:
        """A name, or an engine that outlives the abort and must still be right."""
        if self.random.random() < 0.3:
            yield "processes"
            return
        with anyk.engines.open("processes:4") as engine:
            yield engine
            self.multiply(engine)

    # what is aborted

    def multiply(self, engine: object, abort_at: int = -1) -> None:
        """Some product, by some verb; the answer is checked, if there is one."""
        code = self.random.choice(CODES)
        A, B = self.rng.standard_normal((80, 70)), self.rng.standard_normal((70, self.random.choice([3, 60])))
        steps = iter(range(10**6))

        def watch(_: object) -> None:
            if next(steps) == abort_at:
                raise Abort

        match self.random.randrange(3):
            case 0:
                products = [anyk.matmul(A, B, code, engine=engine, watch=watch).value]
            case 1:
                *_, last = anyk.stream(A, B, code, engine=engine, watch=watch)
                products = [last.value]
            case _:
                with anyk.place(A, code, engine=engine) as coded:
                    products = [coded @ B, *([coded @ B[:, :1]] if abort_at < 4 else [])]
                    watch(None)
        assert all(np.allclose(product, A @ B[:, : product.shape[1]], atol=1e-10) for product in products)

    def strike(self, *_: object) -> None:
        self.struck.set()
        raise KeyboardInterrupt


def possessions() -> dict[str, int]:
    """What this process holds."""
    gc.collect()
    return {
        "descriptors": len(names("/proc/self/fd")),
        "shared blocks": Path("/proc/self/maps").read_text().count("memfd:anyk"),
        "threads": len(names("/proc/self/task")),
        "processes": len(marked(os.environ[MARK])),
    }


def names(directory: str) -> list[str]:
    """What lies in a directory."""
    return [each.name for each in Path(directory).iterdir()]


def settle(look: Callable[[], object], wanted: object, when: str) -> None:
    """Wait until all is as it should be; what was told to end may take a moment."""
    end = time.monotonic() + LONG / 4
    while (found := look()) != wanted:
        if time.monotonic() > end:
            raise SystemExit(f"{when}: {found} instead of {wanted}")
        time.sleep(0.005)


def marked(mark: str) -> list[int]:
    """Living processes that carry this mark."""
    wanted, found = f"{MARK}={mark}\0".encode(), []
    for process in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if process.name.isdigit() and wanted in (process / "environ").read_bytes() and not is_zombie(process):
                found.append(int(process.name))
    return found


def is_zombie(process: Path) -> bool:
    return (process / "stat").read_text().rpartition(")")[2].split()[0] == "Z"


def victim(seed: int, runs: int) -> None:
    """Abort some runs; then go on multiplying until the end comes from outside."""
    warnings.simplefilter("error")
    one = Victim(seed)
    one.run(runs)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    print("ready", flush=True)
    end = time.monotonic() + one.random.uniform(0.0, 1.0)
    while time.monotonic() < end:
        one.multiply("processes" if one.random.random() < 0.5 else anyk.engines.open("processes:4"))


# --- the script -------------------------------------------------------------------------------------------------------


def sacrifice(seed: int, runs: int) -> str:
    """One victim from its start to its end, and what the end was.

    Raises:
        SystemExit: something stayed behind.
    """
    chance, mark = random.Random(seed), f"{os.getpid()}-{seed}"
    named = set(names("/dev/shm"))
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(__file__).parents[2]
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.verbs.abort_script", "--victim", str(seed), "--runs", str(runs)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=root,
            start_new_session=True,
            env={**os.environ, MARK: mark, "TMPDIR": scratch, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"},
        )
        with process:
            try:
                assert process.stdout is not None
                if process.stdout.readline() != "ready\n":
                    raise SystemExit(f"victim {seed}: {process.communicate(timeout=LONG)[1]}")
                end = chance.choice(["killed", "killed", "interrupted", "ended"])
                if end != "ended":
                    time.sleep(chance.uniform(0.0, 0.6))
                if end == "killed":
                    process.kill()
                elif end == "interrupted":
                    os.killpg(process.pid, signal.SIGINT)
                _, said = process.communicate(timeout=LONG)
            finally:
                process.kill()
        settle(lambda: marked(mark), [], f"victim {seed}, {end}: processes")
        settle(lambda: names(scratch), [], f"victim {seed}, {end}: temporary files")
    left = {name for name in set(names("/dev/shm")) - named if "anyk" in name}
    if left or (end == "ended" and process.returncode):
        raise SystemExit(f"victim {seed}, {end} with code {process.returncode}, left {left or 'nothing'}: {said}")
    return end


def main(count: int, seed: int, runs: int = RUNS) -> None:
    """Abort ``count`` runs, in as many victims as it takes."""
    ends: Counter[str] = Counter()
    began, aborted = time.monotonic(), 0
    while aborted < count:
        ends[sacrifice(seed + sum(ends.values()), runs)] += 1
        aborted += runs + 1
        print(f"\r{aborted} aborted runs, {time.monotonic() - began:.0f} s", end="", file=sys.stderr, flush=True)
    told = ", ".join(f"{number} {end}" for end, number in sorted(ends.items()))
    print(
        f"\n{aborted} aborted runs in {sum(ends.values())} processes ({told}), {time.monotonic() - began:.0f} s: "
        "no process, shared block, descriptor, thread or file left"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100, help="aborted runs")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--runs", type=int, default=RUNS, help="in each process")
    parser.add_argument("--victim", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.victim is None:
        main(given.count, given.seed, given.runs)
    else:
        victim(given.victim, given.runs)
