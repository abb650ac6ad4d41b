"""``python -m anyk.nn.ranks --nodes 10 anyk.nn.train …``: a module as ranks of this host, loaded once and forked.

Options before the name of the module are this program's, those behind it the module's.
"""

import argparse
import json
import os
import runpy
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

#: Threads of a process that is to be forked: none but the first.
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def main(arguments: Sequence[str]) -> int:
    """Start the ranks, wait for them, and write down how they ended.

    Args:
        arguments: as on the command line.

    Returns:
        Exit status.
    """
    parser = argparse.ArgumentParser(prog="python -m anyk.nn.ranks", description=__doc__)
    parser.add_argument("--nodes", type=int, required=True, help="how many ranks")
    parser.add_argument("--here", type=_numbers, help="ranks of this host, as in 0,1,2; default: all")
    parser.add_argument("--meet", metavar="HOST:PORT", help="where ranks of several hosts meet: on that of rank 0")
    parser.add_argument("--restarts", type=int, default=3, help="how often a rank that died is replaced")
    parser.add_argument("--told", type=Path, help="file that tells in the end who finished and who was lost")
    parser.add_argument("--pids", type=Path, help="directory in which a file for each rank holds its process number")
    parser.add_argument("module", help="run by every rank as ``python -m module``")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="of the module")
    options = parser.parse_args(arguments)

    import anyk.nn.training  # noqa: F401  loaded once, for all ranks
    from anyk.errors import AnykError
    from anyk.nn.launch import launch

    parent = os.getppid()

    def program() -> None:
        sys.argv = [options.module, *options.arguments]
        runpy.run_module(options.module, run_name="__main__", alter_sys=True)

    def started(rank: int, pid: int) -> None:
        if options.pids is not None:
            (options.pids / f"pid-{rank}").write_text(str(pid))

    def look() -> None:
        if os.getppid() != parent:
            raise SystemExit("the ranks were ended: whoever started them is gone")

    try:
        launched = launch(
            program,
            options.nodes,
            here=options.here,
            meet=options.meet,
            restarts=options.restarts,
            on_start=started,
            watch=look,
        )
    except KeyboardInterrupt:
        return 130
    except AnykError as problem:
        print(f"error: {problem}", file=sys.stderr)  # noqa: T201
        return 3
    if options.told is not None:
        options.told.write_text(json.dumps(asdict(launched)))
    return 0


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


if __name__ == "__main__":
    if not ONE_THREAD.items() <= os.environ.items():  # what is loaded next starts threads by these
        os.execve(sys.executable, [sys.executable, "-m", "anyk.nn.ranks", *sys.argv[1:]], {**os.environ, **ONE_THREAD})
    sys.exit(main(sys.argv[1:]))
