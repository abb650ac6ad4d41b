"""Random scripts that kill and stop real workers during products: the answer is right, or one clear error says why not.

    python -m tests.distributed.fault_scripts --count 200 --seed 0
    python -m tests.distributed.fault_scripts --one-kill-one-stop
    python -m tests.distributed.fault_scripts --resident 500
    python -m tests.distributed.fault_scripts --engine dask --count 200      # or ray, tcp
    mpiexec --with-ft ulfm -n 11 python -m anyk.engines.mpi -m tests.distributed.fault_scripts --engine mpi

Ten worker processes, MatDot of four inner blocks: any 7 of 10 answers suffice. Each script chooses a product, up to
three workers, and for each a deed (kill or stop) and a moment: before, during or after the product. Stopped workers
stay so into later scripts and go on at a random moment of one of them. Some scripts stop four to six workers and set a
time limit: then nothing but a clear error is right, unless 7 had answered before. MPI's ranks are stopped only, for
nobody could replace them.
"""

import argparse
import contextlib
import faulthandler
import os
import random
import signal
import statistics
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

import anyk
from anyk.engines import Engine
from anyk.errors import ClusterError
from anyk.faults import FaultModel, ShiftedExponential

WORKERS, INNER = 10, 4
CODE = anyk.codes.matdot(INNER, workers=WORKERS)
#: Workers that may be dead or stopped at once while any 7 still answer.
SPARE = WORKERS - CODE.recovery_threshold
#: The largest relative error that is right.
LIMIT = 1e-12
#: Tasks last about this long.
TASK_SECONDS = 0.03
#: Nothing here takes as long: it hangs.
LONG = 60.0


@dataclass
class Tally:
    """What became of all scripts."""

    outcomes: Counter[str] = field(default_factory=Counter)
    deeds: Counter[str] = field(default_factory=Counter)
    worst_error: float = 0.0
    longest_seconds: float = 0.0


class Scripts:
    """Scripts on one engine, one after the other.

    Args:
        engine: ten workers whose tasks last a little.
        seed: of everything random.
    """

    def __init__(self, engine: Engine, seed: int) -> None:
        self.engine, self.random, self.rng = engine, random.Random(seed), np.random.default_rng(seed)
        self.stopped: dict[int, int] = {}  # rank -> process
        self.tally = Tally()

    def run(self) -> None:
        """One script from its plan to its end.

        Raises:
            AssertionError: a wrong answer, or an error that should not be.
        """
        hopeless = self.random.random() < 0.1
        victims = self._victims(self.random.randint(4, 6) if hopeless else self.random.randint(0, SPARE))
        timers = [threading.Timer(self._moment(), self._do, [rank, hopeless]) for rank in victims]
        timers += [threading.Timer(self._moment(), self._resume, [rank]) for rank in self._some_stopped(victims)]
        early = [timer for timer in timers if timer.interval <= 0.0]
        for timer in early:
            timer.function(*timer.args)
        for timer in (rest := [timer for timer in timers if timer not in early]):
            timer.start()
        began = time.monotonic()
        try:
            error, answers = self._product(timeout=1.0 if hopeless else None)
            assert error < LIMIT, f"relative error {error} from tasks {answers}"
            self.tally.outcomes["right"] += 1
            self.tally.worst_error = max(self.tally.worst_error, error)
        except ClusterError as refusal:
            if not (hopeless and "would have sufficed" in str(refusal)):
                raise
            self.tally.outcomes["refused"] += 1
        self.tally.longest_seconds = max(self.tally.longest_seconds, time.monotonic() - began)
        for timer in rest:
            timer.join()
        if hopeless:
            self.resume_all()

    def resume_all(self) -> None:
        """Let every stopped worker go on."""
        for rank in [*self.stopped]:
            self._resume(rank)

    def _product(self, timeout: float | None) -> tuple[float, tuple[int, ...]]:
        """Some product by some verb: its true error, and who answered."""
        height, depth, width = (self.random.randint(1, 300) for _ in range(3))
        A, B = self.rng.standard_normal((height, depth)), self.rng.standard_normal((depth, width))
        settings = {"timeout": timeout, "retries": 3}
        # Where workers reach each other, half of the products are formed by them, in rounds that can be hit as well.
        formed = {"reduce": True} if getattr(self.engine.caps, "exchange", False) and self.random.random() < 0.5 else {}
        self.tally.deeds["products formed by workers"] += bool(formed)
        match self.random.randrange(4):
            case 0:
                *_, product = anyk.stream(A, B, CODE, engine=self.engine, **settings)
            case 1:
                with anyk.place(A, CODE, engine=self.engine) as coded:
                    product = coded.product(B, **settings, **formed)
                    if timeout is None:
                        product = coded.product(B, **settings, **formed)
            case _:
                product = anyk.matmul(A, B, CODE, engine=self.engine, **settings, **formed)
        # Relative to what is added up: short sums of either sign can cancel, and no code is to blame.
        size = np.linalg.norm(A) * np.linalg.norm(B) / max(1.0, depth**0.5)
        return float(np.linalg.norm(product.value - A @ B) / max(size, np.linalg.norm(A @ B))), product.survivors

    def _victims(self, count: int) -> list[int]:
        """Who is hit; together with those that are stopped already, no more than so many."""
        ranks = [rank for rank in range(WORKERS) if rank not in self.stopped]
        return self.random.sample(ranks, max(0, count - len(self.stopped)))

    def _moment(self) -> float:
        """Before the product, during it, or about when it ends."""
        return self.random.choice([0.0, self.random.uniform(0.0, TASK_SECONDS), self.random.uniform(0.0, 0.1)])

    def _some_stopped(self, victims: list[int]) -> list[int]:
        return [rank for rank in self.stopped if rank not in victims and self.random.random() < 0.4]

    def _do(self, rank: int, hopeless: bool) -> None:
        pid = self.engine.lanes[rank].pid
        if pid is None:  # a worker on its way
            return
        kill = not hopeless and self.random.random() < 0.5 and self.engine.caps.respawn
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL if kill else signal.SIGSTOP)
            self.tally.deeds["killed" if kill else "stopped"] += 1
            if not kill:
                self.stopped[rank] = pid

    def _resume(self, rank: int) -> None:
        """Let a worker go on, unless the engine has replaced it meanwhile."""
        pid = self.stopped.pop(rank)
        if self.engine.lanes[rank].pid == pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
                self.tally.deeds["resumed"] += 1


def opened(faults: FaultModel, seed: int, name: str = "processes") -> Engine:
    """Ten workers under a delay model."""
    return anyk.engines.open(f"{name}:{WORKERS}", faults=faults, seed=seed)


def run_scripts(count: int, seed: int, name: str = "processes") -> Tally:
    """Run so many scripts on an engine; whatever is not right raises."""
    with opened(ShiftedExponential(shift=0.5, scale=0.5, unit_seconds=TASK_SECONDS), seed, name) as engine:
        scripts = Scripts(engine, seed)
        for number in range(count):
            if sys.stderr.isatty():
                print(f"\r{number} scripts", end="", file=sys.stderr, flush=True)
            faulthandler.dump_traceback_later(LONG, exit=True, file=sys.__stderr__)
            try:
                scripts.run()
            except BaseException as failure:
                failure.add_note(f"script {number} of seed {seed}")
                raise
            finally:
                faulthandler.cancel_dump_traceback_later()
        scripts.resume_all()
    return scripts.tally


def one_kill_one_stop(repetitions: int, seed: int) -> dict[str, list[float]]:
    """Seconds of products without faults and with one worker killed and one stopped in the middle, and true errors."""
    chance, rng = random.Random(seed), np.random.default_rng(seed)
    found: dict[str, list[float]] = {"without": [], "with": [], "errors": []}
    with opened(ShiftedExponential(shift=0.6, scale=0.1), seed) as engine:
        for _ in range(repetitions):
            A, B = rng.standard_normal((600, 600)), rng.standard_normal((600, 600))
            for kind in ("without", "with"):
                killed, halted = (engine.lanes[rank].pid for rank in chance.sample(range(WORKERS), 2))
                deeds = [(killed, signal.SIGKILL), (halted, signal.SIGSTOP)] if kind == "with" else []
                timers = [threading.Timer(chance.uniform(0.1, 0.5), os.kill, deed) for deed in deeds]
                for timer in timers:
                    timer.start()
                began = time.monotonic()
                product = anyk.matmul(A, B, CODE, engine=engine)
                found[kind].append(time.monotonic() - began)
                found["errors"].append(float(np.linalg.norm(product.value - A @ B) / np.linalg.norm(A @ B)))
                for timer in timers:
                    timer.join()
                if deeds:
                    os.kill(halted, signal.SIGCONT)
    return found


def resident(products: int, every: int, seed: int) -> tuple[float, int]:
    """PageRank by products of one placed matrix, a worker killed every so often and another one stopped for good.

    Returns:
        The largest relative difference of any iterate from that of the plain matrix, and how many workers were killed.
    """
    rng, size = np.random.default_rng(seed), 1000
    web = (rng.random((size, size)) < 0.02) | np.eye(size, dtype=bool)
    web = web / web.sum(axis=0)
    ranks = plain = np.full(size, 1 / size)
    worst, killed = 0.0, 0
    with anyk.engines.open(f"processes:{WORKERS}") as engine, anyk.place(web, CODE, engine=engine) as coded:
        os.kill(engine.lanes[0].pid, signal.SIGSTOP)
        for step in range(products):
            if step % every == every - 1:
                os.kill(engine.lanes[1 + killed % (WORKERS - 1)].pid, signal.SIGKILL)
                killed += 1
            ranks, plain = 0.85 * (coded @ ranks) + 0.15 / size, 0.85 * (web @ plain) + 0.15 / size
            worst = max(worst, float(np.linalg.norm(ranks - plain) / np.linalg.norm(plain)))
    return worst, killed


def main(arguments: list[str] | None = None) -> None:
    """Run what the command line asks for, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=200, help="scripts")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--engine", default="processes", help="by name, one with processes on this machine")
    parser.add_argument("--one-kill-one-stop", action="store_true", help="measure instead")
    parser.add_argument("--repetitions", type=int, default=10, help="of the measurement")
    parser.add_argument("--resident", type=int, metavar="PRODUCTS", help="PageRank on a placed matrix instead")
    given = parser.parse_args(arguments)
    if given.one_kill_one_stop:
        found = one_kill_one_stop(given.repetitions, given.seed)
        calm, hit = statistics.median(found["without"]), statistics.median(found["with"])
        print(f"{CODE!r} on processes:{WORKERS}, medians of {given.repetitions}:")
        print(f"without faults             {calm:.3f} s")
        print(f"one killed and one stopped {hit:.3f} s ({hit - calm:+.3f} s; worst {max(found['with']):.3f} s)")
        print(f"largest relative error     {max(found['errors']):.1e}")
        return
    began = time.monotonic()
    if given.resident:
        worst, killed = resident(given.resident, 50, given.seed)
        print(f"{given.resident} PageRank products with {CODE!r} on processes:{WORKERS}, 1 stopped, {killed} killed:")
        print(f"no restart, iterates differ by at most {worst:.1e}, {time.monotonic() - began:.1f} s")
        return
    tally = run_scripts(given.count, given.seed, given.engine)
    print(f"\r{given.count} scripts in {time.monotonic() - began:.0f} s on {given.engine}:{WORKERS}, {CODE!r}:")
    print(f"outcomes: {dict(tally.outcomes)}; deeds: {dict(tally.deeds)}")
    print(f"largest relative error {tally.worst_error:.1e}, longest product {tally.longest_seconds:.2f} s")


if __name__ == "__main__":
    main()
