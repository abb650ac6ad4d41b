"""A training run as a value: what was asked for, what came of it, and both as JSON."""

import json
import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from anyk.errors import InputError
from anyk.nn.codes import STRATEGIES, TrainingCode

#: What ``run.json`` says it is; `anyk report` chooses the page by it.
KIND = "training"

_DTYPES = ("float32", "float64")


@dataclass(frozen=True)
class Configuration:
    """A multilayer perceptron, the nodes it is trained on, and what goes wrong on them.

    Args:
        data: ``"digits"``, a folder of IDX files, or a `.npz`; see `anyk.nn.data.load`.
        hidden: sizes of the layers between input and output.
        strategy: one of `anyk.nn.STRATEGIES`.
        grid: block rows and block columns of every weight matrix.
        nodes: P; default: `default_nodes`.
        error_rate: probability of a wrong number, per node, layer and step of the algorithm.
        error_kind: ``"gaussian"``, ``"bitflip"`` or ``"paper"``; see `anyk.nn.SoftErrors`.
        batch: samples of one update.
        epochs: passes over the samples.
        steps: updates; default: as many as the epochs have.
        lr: learning rate.
        momentum: of the velocity.
        dtype: of weights and products, ``"float32"`` or ``"float64"``.
        attempts: how often a product is tried before the run rolls back.
        checkpoint_every: updates between checkpoints, or ``"auto"``: what costs least time, see `anyk.nn.Guard`; then
            the same configuration does not always give the same run.
        patience: updates executed, as a multiple of those asked for, before the run is given up; at least 1.
        seed: of initial weights, order of samples, split of data and errors.

    Raises:
        InputError: a setting outside its bounds.

    >>> Configuration(strategy="gpd", grid=(2, 2)).code()
    TrainingCode('generalized_polydot', grid 2 x 2, 10 nodes)
    """

    data: str = "digits"
    hidden: tuple[int, ...] = (128, 128)
    strategy: str = "gpd"
    grid: tuple[int, int] = (2, 2)
    nodes: int | None = None
    error_rate: float = 0.0
    error_kind: str = "gaussian"
    batch: int = 32
    epochs: int = 5
    steps: int | None = None
    lr: float = 0.1
    momentum: float = 0.0
    dtype: str = "float32"
    attempts: int = 2
    checkpoint_every: int | Literal["auto"] = 50
    patience: float = 3.0
    seed: int = 0

    def __post_init__(self) -> None:
        counts = [("hidden", size) for size in self.hidden]
        counts += [(name, getattr(self, name)) for name in ("batch", "epochs", "steps", "nodes")]
        for name, count in counts:
            if count is not None and (type(count) is not int or count < 1):
                raise InputError(f"`train({name}={getattr(self, name)!r})` needs integers of at least 1.")
        for name, known in (("strategy", tuple(STRATEGIES)), ("dtype", _DTYPES)):
            if getattr(self, name) not in known:
                raise InputError(f"`train({name}={getattr(self, name)!r})` is unknown. Use {', '.join(known)}.")
        if not (self.patience >= 1 and math.isfinite(self.patience)):
            raise InputError(f"`train(patience={self.patience!r})` needs a number of at least 1.")

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> "Configuration":
        """From JSON."""
        return cls(**{name: _tuples(value) for name, value in told.items()})

    def code(self) -> TrainingCode:
        """The code these nodes use.

        Raises:
            CodeError: a number of nodes, or a grid, with which the strategy does not work.
        """
        rows, inner = self.grid
        return STRATEGIES[self.strategy](rows, inner, self.nodes or default_nodes(self.strategy, rows, inner))


def default_nodes(strategy: str, rows: int, inner: int) -> int:
    """Nodes that correct three wrong ones at each stage (gpd), one (mds, replication), or none (uncoded).

    >>> [default_nodes(name, 2, 2) for name in ("gpd", "mds", "replication", "uncoded")]
    [10, 12, 12, 4]
    """
    blocks = rows * inner
    if strategy == "gpd":
        return max(blocks + inner - 1, 2 * blocks - inner) + 4
    return {"mds": blocks + 2 * (rows + inner), "replication": 3 * blocks, "uncoded": blocks}[strategy]


@dataclass(frozen=True)
class ErrorMap:
    """How often something happened, node by executed step.

    Args:
        steps_per_column: executed steps drawn together in one column.
        injected: of each node, for each column.
        located: likewise.
    """

    steps_per_column: int
    injected: tuple[tuple[int, ...], ...]
    located: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Run:
    """What came of a training run.

    Args:
        configuration: what was asked for, with steps and nodes filled in.
        layers: sizes from input to output.
        code: the training code in words and numbers: name, grid, nodes, thresholds, tolerance.
        accuracy: on the test samples, weights verified.
        finished: all updates were made.
        reason: why not.
        steps: updates that count.
        executed: updates made, with those that were rolled back.
        rollbacks: returns to a checkpoint.
        errors_injected: wrong numbers put in.
        errors_located: answers thrown out.
        blocks_regenerated: stored blocks rebuilt.
        copies_refreshed: nodes whose replicated numbers were replaced.
        products_repeated: products tried again.
        nodes_evicted: nodes no longer asked.
        errors_by_step: wrong numbers put in, by step of the algorithm.
        losses: of each update that counts; None: not finite.
        accuracies: (update, accuracy on the test samples with verified weights).
        error_map: who was hit and who was caught, when.
        seconds: of the training.
        engine: where the nodes were: ``"virtual"`` (all in this process), ``"processes"``, ``"torchrun"``.
        ranks_lost: ranks whose processes died, once for each time.
        ranks_left_out: ranks that were too slow in the end.
        joined: how often the rank that tells this has joined the others later; what it counts began with the last time.
    """

    configuration: Configuration
    layers: tuple[int, ...]
    code: Mapping[str, Any]
    accuracy: float
    finished: bool
    reason: str
    steps: int
    executed: int
    rollbacks: int
    errors_injected: int
    errors_located: int
    blocks_regenerated: int
    copies_refreshed: int
    products_repeated: int
    nodes_evicted: int
    errors_by_step: Mapping[str, int]
    losses: tuple[float | None, ...]
    accuracies: tuple[tuple[int, float], ...]
    error_map: ErrorMap
    seconds: float
    engine: str = "virtual"
    ranks_lost: tuple[int, ...] = ()
    ranks_left_out: tuple[int, ...] = ()
    joined: int = 0

    @classmethod
    def read(cls, path: str | Path) -> "Run":
        """A run that was saved.

        Raises:
            InputError: a file that cannot be read, or that no run was saved in.
        """
        try:
            told = json.loads(Path(path).read_bytes())
            told.pop("kind")
            told["configuration"] = Configuration.of(told["configuration"])
            told["error_map"] = ErrorMap(**{name: _tuples(each) for name, each in told["error_map"].items()})
            lists = ("layers", "losses", "accuracies", "ranks_lost", "ranks_left_out")
            return cls(**told | {name: _tuples(told[name]) for name in lists})
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as problem:
            raise InputError(f"`{path}` holds no training run: {problem}.") from problem

    def summary(self) -> dict[str, Any]:
        """Everything but curves and map, for a script."""
        long = ("losses", "accuracies", "error_map")
        return {name: value for name, value in self.as_dict().items() if name not in long}

    def as_dict(self) -> dict[str, Any]:
        """Everything, as JSON holds it."""
        return {"kind": KIND, **asdict(self)}

    def save(self, path: str | Path) -> None:
        """Write the run as JSON; an old file is replaced whole or not at all.

        Raises:
            InputError: a place that cannot be written to.
        """
        write_whole(Path(path), json.dumps(self.as_dict(), allow_nan=False).encode() + b"\n")


def _tuples(value: Any) -> Any:
    """JSON's lists as they were."""
    return tuple(_tuples(each) for each in value) if isinstance(value, list) else value


def write_whole(path: Path, content: bytes) -> None:
    """Write a file; an old one is replaced whole or not at all.

    Raises:
        InputError: a place that cannot be written to.
    """
    beside = path.with_name(path.name + ".part")
    try:
        beside.write_bytes(content)
        beside.replace(path)
    except OSError as problem:
        raise InputError(f"`{path}` was not written: {problem.strerror}. Choose another place.") from problem
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)


def described(code: TrainingCode) -> dict[str, Any]:
    """A training code as JSON, without its tables."""
    return {
        "name": code.name,
        "rows": code.rows,
        "inner": code.inner,
        "nodes": code.nodes,
        "forward_threshold": code.forward.code.recovery_threshold,
        "backward_threshold": code.backward.code.recovery_threshold,
        "tolerance": asdict(code.tolerance()),
    }
