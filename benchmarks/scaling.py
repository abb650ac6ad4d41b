"""A cluster of 100 to 100,000 nodes on paper: completion times, spare workers, outages, precision, the master's part.

    python -m benchmarks.scaling [FILE]

Nothing here runs on a cluster. Times come from `anyk.simulate`, precision from the tables of the codes, the master's
part from the formulas at the head of its table. Seeds are fixed: the same command gives the same numbers. Rows are kept
in FILE (default: docs/_data/scaling.json) and not computed again.
"""

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np

import anyk
from anyk.bases import digit_tables
from anyk.faults import Bursts, Crash, FaultModel, GroupOutage, ShiftedExponential, combine
from benchmarks.kept import Kept

DATA = Path(__file__).parents[1] / "docs/_data/scaling.json"

#: Workers, products simulated, and a code that leaves about a tenth of the workers to spare.
SIZES = ((100, 10_000, "polynomial:9x10"), (1_000, 1_000, "polynomial:30x30"), (10_000, 1_000, "polynomial:94x94"))
LARGEST = (100_000, 100, "polynomial:300x300")
WAYS = ("uncoded", "replication:2", "speculation:spark", "speculation:spark3", "speculation:cubed")

#: Shares of 1,000 workers that are spare.
SPARE = (1, 2, 5, 10, 20, 50, 100, 200, 400)

#: Racks of 40 workers lose their power or their switch; single workers die, too.
OUTAGES: Mapping[str, FaultModel] = {
    "none": Bursts(),
    "workers, 1 in 1,000": combine(Bursts(), Crash(probability=0.001, after_seconds=0.5)),
    "racks of 40, 1 in 1,000": combine(Bursts(), GroupOutage(40, 0.001, after_seconds=0.5)),
    "racks of 40, silent": combine(Bursts(), GroupOutage(40, 0.001, "stop", after_seconds=0.5)),
}

#: 10,000 workers in groups: members of each, and answers of them that are needed.
GROUPS = ((10_000, 9_000), (400, 360), (100, 90), (40, 36), (20, 18), (10, 9))

#: Square grids of blocks, and the tenth of the workers that is missing.
GRIDS = ((3, 10), (9, 90), (14, 218), (20, 444), (30, 1000))
SETS = 5
ROUNDING = 1.5 * float(np.finfo(np.float64).eps)


def main() -> None:
    """Compute what is not kept yet, and print all tables."""
    kept = Kept(Path(sys.argv[1]) if len(sys.argv) > 1 else DATA)
    for workers, products, code in (*SIZES, LARGEST):
        for way in (*WAYS, code):
            key = {"table": "times", "workers": workers, "products": products, "strategy": way}
            kept.row(key, lambda asked=(way, workers, products): _simulated(*asked, Bursts()))
    for law in (Bursts(), ShiftedExponential()):
        for spare in SPARE:
            key = {"table": "spare", "delays": type(law).__name__, "spare": spare}
            kept.row(key, lambda spare=spare, law=law: _simulated(f"mds:{1000 - spare}", 1000, 2000, law))
    for what, law in OUTAGES.items():
        for way in ("uncoded", "replication:2", "speculation:spark", "polynomial:30x30"):
            key = {"table": "outages", "lost": what, "strategy": way}
            kept.row(key, lambda way=way, law=law: _simulated(way, 1000, 2000, law))
    for members, needed in GROUPS:
        kept.row({"table": "groups", "members": members, "needed": needed}, lambda at=(members, needed): _grouped(*at))
    for side, workers in GRIDS:
        kept.row(
            {"table": "precision", "workers": workers, "needed": side * side}, lambda at=(side, workers): _precise(*at)
        )
    for size in (1e4, 1e5, 1e6):
        for workers in (100, 1_000, 10_000, 100_000):
            key = {"table": "master", "size": f"{size:.0e}", "workers": workers}
            kept.row(key, lambda size=size, workers=workers: _master(size, workers))
    for workers in (100, 200, 400):
        kept.row(
            {"table": "build", "code": "matdot(4, P)", "workers": workers}, lambda workers=workers: _built(workers)
        )
    print("\n".join(kept.printed()))


def _simulated(way: str, workers: int, products: int, law: FaultModel) -> Mapping[str, Any]:
    began = time.process_time()
    found = anyk.simulate(way, workers=workers, products=products, delays=law, rng=0)
    quantiles = {f"p{100 * q:g}": _shown(found.quantile(q)) for q in (0.5, 0.9, 0.99)}
    return {
        **quantiles,
        "never": f"{100 * found.lost:.3g} %" if found.lost else "",
        "work": float(np.mean(found.worker_seconds)) / workers,
        "wasted": f"{100 * found.wasted:.0f} %",
        "simulated in": round(time.process_time() - began, 2),
    }


def _shown(seconds: float) -> float | str:
    return round(seconds, 3) if np.isfinite(seconds) else "never"


def _grouped(members: int, needed: int) -> Mapping[str, Any]:
    """400 products of 10,000 workers: each is complete when its slowest group is."""
    groups = 10_000 // members
    found = anyk.simulate(f"mds:{needed}", workers=members, products=400 * groups, delays="lambda", rng=0)
    seconds = found.seconds.reshape(400, groups).max(axis=1)
    half, most, nearly_all = np.quantile(seconds, (0.5, 0.9, 0.99), method="inverted_cdf").round(3).tolist()
    return {"groups": groups, "p50": half, "p90": most, "p99": nearly_all}


def _precise(side: int, workers: int) -> Mapping[str, Any]:
    """Relative error in float64 where a tenth of the workers is missing at random, and where ranks in a row are."""
    rng = np.random.default_rng(0)
    left, right, _ = digit_tables(side, 1, side, workers, stride=1, basis="trigonometric")
    circle = _evaluations(left[:, 0], right[0])
    random = _evaluations(*rng.standard_normal((2, side, workers)))
    missing = workers - side * side
    sets = [rng.permutation(workers)[missing:] for _ in range(SETS)]
    return {
        "trigonometric": float(np.median([_error(circle, each) for each in sets])),
        "ranks in a row missing": _error(circle, np.arange(missing, workers)),
        "random": float(np.median([_error(random, each) for each in sets])),
    }


def _evaluations(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """What each answer is made of, shape (workers, blocks); all rows together of norm sqrt(blocks)."""
    table = np.einsum("iw,lw->wil", left, right).reshape(left.shape[1], -1)
    return table / np.linalg.norm(table, axis=1, keepdims=True) * sqrt(table.shape[1] / table.shape[0])


def _error(table: np.ndarray, survivors: np.ndarray) -> float:
    """Relative error of the product: rounding of each answer, through the inverse; at most 1."""
    rows = table[survivors]
    values = np.linalg.svd(rows, compute_uv=False)
    amplified = sqrt(rows.shape[1] / table.shape[0]) * float(np.sqrt(np.mean(np.maximum(values, 1e-300) ** -2.0)))
    return min(1.0, ROUNDING * amplified)


def _master(size: float, workers: int) -> Mapping[str, Any]:
    """Polynomial code with K = 0.9 P; one master of 1 Tflop/s and 100 Gbit/s, workers of 1 Tflop/s; float64.

    Each worker multiplies 2 n^3 / K. The master encodes 2 P combinations of sqrt(K) blocks of n^2 / sqrt(K) numbers
    (4 P n^2 operations), sends them (2 P n^2 / sqrt(K) numbers), receives n^2 numbers in K answers, and combines them
    into K blocks (2 K n^2 operations).
    """
    needed = 0.9 * workers
    flops, bytes_a_second = 1e12, 100e9 / 8
    return {
        "worker s": 2 * size**3 / needed / flops,
        "one machine s": 2 * size**3 / flops,
        "encode s": 4 * workers * size**2 / flops,
        "send s": 8 * 2 * workers * size**2 / sqrt(needed) / bytes_a_second,
        "receive s": 8 * size**2 / bytes_a_second,
        "decode s": 2 * needed * size**2 / flops,
        "worker GB": 8 * (2 * size**2 / sqrt(needed) + size**2 / needed) / 1e9,
    }


def _built(workers: int) -> Mapping[str, Any]:
    """Processor seconds and peak memory of making a code in one thread, beyond those of a process that makes none."""
    made, nothing = (_process(f"codes.matdot(4, {workers})"), _process("codes"))
    return {"CPU s": round(made[0] - nothing[0], 1), "peak MB": round(made[1] - nothing[1])}


def _process(what: str) -> tuple[float, float]:
    program = (
        f"from anyk import codes; {what}; import time; from pathlib import Path; "
        "print(time.process_time(), *Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[:1])"
    )
    one = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=one)
    seconds, kilobytes = done.stdout.split()
    return float(seconds), float(kilobytes) / 1024


if __name__ == "__main__":
    main()
