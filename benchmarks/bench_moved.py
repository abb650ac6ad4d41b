"""Bytes that move at K = 19: all answers to the master, or one sum that the workers form of them.

Bytes do not depend on the turn, and seconds are a side show; most of the run is the start of 21 processes per cluster.
"""

from importlib.util import find_spec

import numpy as np

import anyk
from anyk.engines.meter import Moved
from benchmarks.measure import Contender, Row, in_turns, of_engine, spread

#: Any 19 of 21 answers, each as large as C.
CODE = anyk.codes.matdot(10, workers=21)
MODULES = {"dask": "distributed", "ray": "ray", "tcp": "anyk"}
WAYS = {"answers to the master": False, "sums on the workers": True}


def run(tiny: bool) -> list[Row]:
    """Both ways in turns on each cluster of this machine, and the product that stays there."""
    code, size, turns = (anyk.codes.matdot(2, workers=3), 60, 1) if tiny else (CODE, 1000, 3)
    clusters = ["tcp"] if tiny else [name for name, module in MODULES.items() if find_spec(module) is not None]
    return [row for name in clusters for row in _rows(name, code, size, turns)]


def _rows(name: str, code: anyk.Code, size: int, turns: int) -> list[Row]:
    A, B = np.random.default_rng(0).standard_normal((2, size, size))
    moved: dict[str, Moved] = {}

    def product(way: str, **settings: object) -> None:
        moved[way] = anyk.matmul(A, B, code, engine=engine, rng=0, **settings).moved  # type: ignore[arg-type]

    with anyk.engines.open(f"{name}:{code.workers}") as engine:
        ways = {way: {"reduce": reduce} for way, reduce in WAYS.items()}
        ways |= {"the product stays there": {"result": name}} if hasattr(engine, "hand_over") else {}
        contenders = {
            way: Contender(lambda way=way, settings=settings: product(way, **settings), of_engine(engine))
            for way, settings in ways.items()
        }
        samples = in_turns(contenders, turns)
    return [
        {
            "cluster": f"{name}:{code.workers}",
            "code": repr(code),
            "size": size,
            "way": way,
            "C, MB": A.nbytes / 1e6,
            "from workers to master, MB": moved[way].from_workers / 1e6,
            "from master to workers, MB": moved[way].to_workers / 1e6,
            "from worker to worker, MB": moved[way].between_workers / 1e6,
            "seconds": spread(sample.wall for sample in samples[way]),
            "processor seconds": spread(sample.cpu for sample in samples[way]),
        }
        for way in ways
    ]
