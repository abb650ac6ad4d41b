"""A matrix larger than the master's memory may be: how much the master holds while it multiplies a stored one.

    python -m benchmarks.stored [FOLDER] [--shape 1000000 1000 200] [--memory 5e8] [--engine processes:4]

Another process writes A and B, so that the largest memory the system saw this one have is that of the product. Some
rows of the stored product are compared with those of A times B. All files are deleted in the end.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

import anyk
from benchmarks.measure import peak_rss

#: Any two of four answers.
CODE = anyk.codes.mds(2, workers=4)

_WRITE = """
import sys
import numpy as np
rng = np.random.default_rng(0)
for path, height, width in zip(sys.argv[1::3], map(int, sys.argv[2::3]), map(int, sys.argv[3::3])):
    stored = np.lib.format.open_memmap(path, mode="w+", dtype=np.float64, shape=(height, width))
    for top in range(0, height, 10_000):
        rng.standard_normal(out=(some := np.empty((min(10_000, height - top), width))))
        stored[top : top + 10_000] = some
"""


def main(arguments: list[str] | None = None) -> None:
    """Write, multiply, compare, and say what it took."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stored", description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", default=None, type=Path, help="where the files go; default: a new one")
    parser.add_argument("--shape", nargs=3, type=int, default=(1_000_000, 1_000, 200), help="height, depth, width")
    parser.add_argument("--memory", type=float, default=5e8, help="bytes for tiles, coded blocks and answers")
    parser.add_argument("--engine", default="processes:4")
    given = parser.parse_args(arguments)
    height, depth, width = given.shape
    with tempfile.TemporaryDirectory(dir=given.folder) as place:
        a, b, c = (Path(place, f"{name}.npy") for name in "ABC")
        files = a, height, depth, b, depth, width
        subprocess.run([sys.executable, "-c", _WRITE, *map(str, files)], check=True)
        before = peak_rss()
        done = anyk.matmul_stored(a, b, CODE, out=c, memory=given.memory, engine=given.engine, rng=0)
        peak = peak_rss()
        apart = _apart(a, b, c)
        sizes = [path.stat().st_size / 1e9 for path in (a, b, c)]
    print(
        f"A {height} x {depth}, {sizes[0]:.2f} GB; B {sizes[1]:.4f} GB; C {sizes[2]:.2f} GB; {CODE!r}, {given.engine}"
    )
    print(f"largest memory of the master: {peak / 1e6:.0f} MB, of which {before / 1e6:.0f} MB before the product")
    print(f"allowed for tiles and blocks: {given.memory / 1e6:.0f} MB; {done.tiles[0]} tiles of rows")
    print(f"measured relative error {done.error:.1e}, of 500 rows compared {apart:.1e}")
    print(f"seconds: {', '.join(f'{name} {seconds:.1f}' for name, seconds in done.seconds.items())}")


def _apart(a: Path, b: Path, c: Path) -> float:
    stored = [np.load(path, mmap_mode="r") for path in (a, b, c)]
    some = np.sort(np.random.default_rng(1).integers(0, len(stored[0]), 500))
    true = stored[0][some] @ stored[1]
    return float(np.linalg.norm(stored[2][some] - true) / np.linalg.norm(true))


if __name__ == "__main__":
    main()
