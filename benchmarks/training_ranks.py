"""Training on real ranks: who is waited for, what a step costs by phase, and the same faults under other systems.

    python -m benchmarks.training_ranks --json docs/_data/training_ranks.json     # go on until all is there
    python -m benchmarks.training_ranks --quick

*speeds*: some ranks sleep at each product, and the time of a step is that of the rank that is needed last. *phases*:
processor time of one rank's step. *faults*: the digits, six or ten ranks; one kills itself, one stops itself for twenty
seconds; the time from the first update to the last. Coded and replicated ranks also compute wrong numbers; torch's
DistributedDataParallel, which nothing protects from them, does not. It is started again by torchrun when a rank dies,
and goes on from its last checkpoint.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.nn import functional

from anyk.nn import CodedSGD, Guard, ProcessGroup, SoftErrors, generalized_polydot, protect, replication
from anyk.nn.data import load
from anyk.nn.program import Program
from anyk.nn.ranks import ONE_THREAD
from benchmarks.kept import Kept, Row

RATE, BATCH, WIDTH = 0.1, 30, 64
#: Systems, grids, ranks and probabilities of wrong numbers that meet the same faults.
FAULTS = (
    ("coded", (1, 2), 6, 5e-3),
    ("replicated", (1, 2), 6, 5e-3),
    ("plain", (1, 2), 6, 0.0),
    ("coded", (2, 2), 10, 0.0),
    ("coded", (2, 2), 10, 1e-2),
)
CODES = {"coded": generalized_polydot, "replicated": replication}


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(64, WIDTH), nn.ReLU(), nn.Linear(WIDTH, 10))


def batch(data: Any, step: int) -> tuple[torch.Tensor, torch.Tensor]:
    chosen = torch.randint(len(data.x_train), (BATCH,), generator=torch.Generator().manual_seed(step)).numpy()
    return torch.from_numpy(data.x_train[chosen]).float(), torch.from_numpy(data.y_train[chosen])


def accuracy(net: nn.Module, data: Any) -> float:
    with torch.no_grad():
        guessed = net(torch.from_numpy(data.x_test).float()).argmax(dim=1)
    return float((guessed == torch.from_numpy(data.y_test)).double().mean())


def harm(asked: Row, rank: int, step: int) -> None:
    """What happens to this rank before this step; only in the first life of each."""
    mark = Path(asked["place"]) / f"harmed-{rank}"
    if not asked["faults"] or mark.exists() or (rank, step) not in ((3, asked["steps"] // 4), (5, asked["steps"] // 2)):
        return
    mark.write_text("")
    if rank == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    subprocess.Popen(["sh", "-c", f"sleep {asked['stopped']}; kill -CONT {os.getpid()}"])
    os.kill(os.getpid(), signal.SIGSTOP)


def begun(place: str) -> float:
    """When the first update of the first life began."""
    mark = Path(place) / "begun"
    if not mark.exists():
        beside = mark.with_name(f"begun-{os.getpid()}")
        beside.write_text(str(time.time()))
        beside.rename(mark)
    return float(mark.read_text())


# --- what ranks do ----------------------------------------------------------------------------------------------------


def coded_rank(asked: Row) -> None:
    """Ranks of `anyk.nn`; each writes what it has seen."""
    torch.set_num_threads(1)
    data, group = load("digits", seed=0), ProcessGroup()
    group.errors = SoftErrors(asked["rate"], rng=group.rank)
    rows, inner = asked["grid"]
    model = protect(network(), CODES[asked["code"]](rows, inner, group.nodes), group)
    optimizer = CodedSGD(model.parameters(), lr=RATE)
    phases = watched(group, optimizer)
    if group.rank in asked["slow"]:
        strike = group.strike
        group.strike = lambda step, *rest: (time.sleep(asked["sleep"] * (step == "product")), strike(step, *rest))[1]
    guard = Guard(model, optimizer, Path(asked["place"]) / "checkpoints", every=20)
    walls: list[float] = []
    began = begun(asked["place"])
    for step in guard.steps(asked["steps"]):
        started = time.perf_counter()
        with step:
            harm(asked, group.rank, step.number)
            x, y = batch(data, step.number)
            optimizer.zero_grad()
            functional.cross_entropy(model(x), y).backward()
            optimizer.step()
        walls.append(time.perf_counter() - started)
    weights, report = guard.export(), guard.report()
    seconds = time.time() - began
    plain = network()
    plain.load_state_dict(weights)
    each = {name: 1e3 * spent / len(walls) for name, spent in phases.items()}
    told = {
        "seconds": seconds,
        "accuracy": accuracy(plain, data),
        "executed": report.executed,
        "ms": 1e3 * median(walls),
    }
    text = json.dumps({**told, "rollbacks": report.rollbacks, "joined": report.joined, "phases": each})
    (Path(asked["place"]) / f"rank-{group.rank}.json").write_text(text)


def watched(group: ProcessGroup, optimizer: CodedSGD) -> dict[str, float]:
    """Processor seconds of this thread by phase, added up as they pass; a phase within another counts for itself."""
    spent: dict[str, float] = defaultdict(float)
    open_phases: list[str] = []
    last = [time.thread_time()]

    def turn() -> None:
        now = time.thread_time()
        spent[open_phases[-1] if open_phases else "rest"] += now - last[0]
        last[0] = now

    def phase(name: str, act: Any) -> Any:
        def timed(*args: Any, **kwargs: Any) -> Any:
            turn()
            open_phases.append(name)
            try:
                return act(*args, **kwargs)
            finally:
                turn()
                open_phases.pop()

        return timed

    for name, method in (
        ("encode", "_encode"),
        ("product", "_answers"),
        ("screen", "_screened"),
        ("decode", "_decoded"),
    ):
        setattr(Program, method, phase(name, getattr(Program, method)))
    Program.mend = phase("mend", Program.mend)  # type: ignore[method-assign]
    group.gather = phase("gather", group.gather)  # type: ignore[method-assign]
    optimizer.step = phase("update", optimizer.step)  # type: ignore[method-assign]
    return spent


def plain_rank(asked: Row) -> None:
    """Ranks of torch's own DistributedDataParallel, started again from checkpoints."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    rank, place = dist.get_rank(), Path(asked["place"])
    data, net = load("digits", seed=0), network()
    first, saved = 0, place / "saved.pt"
    if saved.exists():
        kept = torch.load(saved)
        first = kept.pop("step")
        net.load_state_dict(kept)
    model = nn.parallel.DistributedDataParallel(net)
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
    began = begun(asked["place"])
    for step in range(first, asked["steps"]):
        harm(asked, rank, step)
        x, y = (part[rank :: dist.get_world_size()] for part in batch(data, step))
        optimizer.zero_grad()
        functional.cross_entropy(model(x), y).backward()
        optimizer.step()
        if rank == 0 and (step + 1) % 20 == 0:
            torch.save({**net.state_dict(), "step": step + 1}, place / "saving.pt")
            (place / "saving.pt").rename(saved)
    told = {"seconds": time.time() - began, "accuracy": accuracy(net, data)}
    (place / f"rank-{rank}.json").write_text(json.dumps(told))
    dist.destroy_process_group()


# --- what is measured -------------------------------------------------------------------------------------------------


def ranks(nodes: int, **asked: Any) -> Row:
    """Run them; what the rank says that was there all the time. Nothing where they did not come to their end."""
    with tempfile.TemporaryDirectory(prefix="anyk-bench-") as place:
        settings = {
            "grid": (1, 2),
            "rate": 0.0,
            "slow": [],
            "sleep": 0.0,
            "faults": False,
            "stopped": 20,
            "place": place,
        }
        given = json.dumps({"code": "coded", **settings, **asked})
        starter = ["anyk.nn.ranks", f"--nodes={nodes}"]
        if asked.get("code") == "plain":
            starter = ["torch.distributed.run", "--standalone", f"--nproc-per-node={nodes}", "--max-restarts=3", "-m"]
        environment = {
            **os.environ,
            **ONE_THREAD,
            "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1",
            "TORCH_CPP_LOG_LEVEL": "ERROR",
        }
        subprocess.run(
            [sys.executable, "-m", *starter, "benchmarks.training_ranks", "--rank", given],
            env=environment,
            check=False,
            stderr=subprocess.DEVNULL if asked.get("code") == "plain" else None,  # the dead rank's traces
        )
        told = [json.loads(path.read_text()) for path in sorted(Path(place).glob("rank-*.json"))]
    return min(told, key=lambda each: each.get("joined", 0), default={})


def speeds(slow: int, steps: int) -> Row:
    """Median time of a step where some ranks are slow; 8 of 10 ranks are needed."""
    told = ranks(10, grid=(2, 2), steps=steps, slow=list(range(10 - slow, 10)), sleep=0.1)
    return {"step (ms)": round(told["ms"], 1)}


def phases(nodes: int, steps: int) -> Row:
    """Processor milliseconds of one rank's step."""
    told = ranks(nodes, grid=(2, 2), steps=steps, rate=1e-3)["phases"]
    names = ("encode", "product", "gather", "screen", "decode", "update", "mend", "rest")
    return {name: round(told.get(name, 0.0), 2) for name in names}


def faults(code: str, grid: tuple[int, int], nodes: int, rate: float, faulty: bool, steps: int, stopped: int) -> Row:
    """So many ranks, two of whom are harmed, or none."""
    told = ranks(nodes, code=code, grid=grid, rate=rate, faults=faulty, steps=steps, stopped=stopped)
    told.setdefault("seconds", "stuck")
    names = ("seconds", "accuracy", "executed", "rollbacks")
    return {name: round(each, 4) if isinstance(each := told.get(name), float) else each for name in names}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is missing, print, and keep."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training_ranks", description=__doc__)
    parser.add_argument("--rank", type=json.loads, help=argparse.SUPPRESS)
    parser.add_argument("--only", default="speeds,phases,faults", help="tables, by commas")
    parser.add_argument("--steps", type=int, default=200, help="updates of a run with faults")
    parser.add_argument("--budget", type=float, default=float("inf"), help="seconds after which no run is begun")
    parser.add_argument("--json", type=Path, default=None, help="where rows are kept, and what was made before")
    parser.add_argument("--quick", action="store_true", help="a few updates: does it run at all?")
    options = parser.parse_args(arguments)
    if options.rank is not None:
        (plain_rank if options.rank["code"] == "plain" else coded_rank)(options.rank)
        return 0
    short, stopped = (4, 1) if options.quick else (25, 20)
    steps = 8 if options.quick else options.steps
    kept, only = Kept(options.json, options.budget), options.only.split(",")
    for slow in (0, 3) if options.quick else range(4):
        if "speeds" in only:
            key = {"table": "speeds", "ranks": 10, "needed": 8, "slow by 100 ms": slow}
            kept.row(key, partial(speeds, slow, short))
    for nodes in (8,) if options.quick else (8, 12):
        if "phases" in only:
            kept.row({"table": "phases", "ranks": nodes}, partial(phases, nodes, short))
    # Copies get stuck under errors now and then, which takes as long as it should be quick.
    for code, grid, nodes, rate in FAULTS:
        for faulty in (False, True):
            if "faults" in only and not (options.quick and code == "plain"):
                wrong = 0.0 if options.quick and code == "replicated" else rate
                key = {"table": "faults", "system": code, "ranks": nodes, "wrong": wrong, "faults": faulty}
                kept.row({**key, "updates": steps}, partial(faults, code, grid, nodes, wrong, faulty, steps, stopped))
    print(*kept.printed(), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
