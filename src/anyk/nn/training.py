"""A whole training run: a perceptron on coded nodes, errors in every step, guarded and recorded."""

import math
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from torch import Tensor, nn
from torch.nn import functional

from anyk.errors import InputError, Uncorrectable
from anyk.nn.collective import Collective
from anyk.nn.data import Data, load
from anyk.nn.guard import Guard
from anyk.nn.optim import CodedSGD
from anyk.nn.places import accounts, virtual
from anyk.nn.protect import protect
from anyk.nn.record import NOTHING, Moment, Record
from anyk.nn.resuming import Resumable
from anyk.nn.runs import Configuration, Run, described, write_whole

#: Multiplications of one layer on all nodes from which on threads pay: some milliseconds of one core.
_WORTH_THREADS = 10**8


@dataclass(frozen=True, eq=False)
class Trained:
    """A finished training run.

    Args:
        run: what came of it.
        weights: an ordinary ``state_dict`` of `perceptron`, verified.
        speaker: the node whose account counts: one of those that hold what most hold.
    """

    run: Run
    weights: dict[str, Tensor]
    speaker: int = 0

    def save(self, directory: str | Path) -> None:
        """Write ``run.json`` and ``model.safetensors`` into a directory; old files are replaced whole or not at all.

        Args:
            directory: made if need be.

        Raises:
            InputError: a place that cannot be written to.
        """
        place = Path(directory)
        try:
            place.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise InputError(f"`{place}` cannot be made: {problem.strerror}. Choose another place.") from problem
        write_whole(place / "model.safetensors", safetensors.torch.save(self.weights))
        self.run.save(place / "run.json")

    @classmethod
    def read(cls, directory: str | Path) -> "Trained":
        """What was saved.

        Raises:
            InputError: it is not there, or damaged.
        """
        run = Run.read(Path(directory) / "run.json")
        try:
            return cls(run, safetensors.torch.load_file(Path(directory) / "model.safetensors"))
        except (OSError, safetensors.SafetensorError) as problem:
            raise InputError(f"`{directory}` holds no weights: {problem}.") from problem


def train(
    configuration: Configuration,
    *,
    collective: Collective | None = None,
    directory: str | Path | None = None,
    watch: Callable[[Moment], object] | None = None,
    engine: str = "virtual",
) -> Trained:
    """Train a perceptron on coded nodes.

    Args:
        configuration: everything that decides the outcome.
        collective: how nodes meet, see `anyk.nn.places`; default: all of them in this process.
        directory: where checkpoints go, and where the run goes on from if there are some; default: a temporary one.
        watch: called whenever an update was executed.
        engine: what to call the place where the nodes are.

    Returns:
        What came of it; the same configuration gives the same. A run that got stuck says so and has the weights of its
        last checkpoint.

    Raises:
        InputError: data that cannot be read, a setting outside its bounds, another run in the directory.
        CodeError: a code that cannot exist.
    """
    began, dtype = time.perf_counter(), getattr(torch, configuration.dtype)
    data, code = load(configuration.data, seed=configuration.seed), configuration.code()
    batches = _Batches(data, configuration.batch, configuration.seed, dtype)
    steps = configuration.steps or configuration.epochs * batches.in_an_epoch
    configuration = replace(configuration, steps=steps, nodes=code.nodes)
    collective = virtual(configuration) if collective is None else collective
    layers = (data.features, *configuration.hidden, data.classes)
    plain = perceptron(layers, dtype, configuration.seed)
    model = protect(plain, code, collective)
    optimizer = CodedSGD(model.parameters(), lr=configuration.lr, momentum=configuration.momentum)
    record, reason = Record(collective.health, steps), ""
    block = max(map(math.prod, pairwise(layers))) // (code.rows * code.inner)
    with _place(directory) as place, _threads(len(collective.here) * configuration.batch * block):
        files = Resumable(Path(place), collective.here.start)
        files.agree(configuration)
        guard = Guard(model, optimizer, place, every=configuration.checkpoint_every)
        record.take(files.read(guard.step) or NOTHING)
        saved = 0
        try:
            for step in guard.steps(steps, limit=math.ceil(configuration.patience * steps)):
                with step:
                    x, y = batches[step.number]
                    optimizer.zero_grad()
                    loss = functional.cross_entropy(model(x), y)
                    loss.backward()
                    optimizer.step()
                    record.made(step.number + 1, loss.item())
                    if (step.number + 1) % batches.in_an_epoch == 0:
                        record.measured(step.number + 1, accuracy(plain, guard.export(), batches.test))
                report = guard.report()
                record.executed(report.executed)
                if directory is not None and report.checkpoints != saved:
                    saved = report.checkpoints
                    files.save(record.told(report))
                if watch is not None:
                    watch(record.moment(guard.step, report.rollbacks))
        except Uncorrectable as problem:
            reason = str(problem)
        weights, report = guard.export(), guard.report()
        if directory is not None:
            files.save(record.told(report))
    speaker, struck = accounts(collective, weights, record.struck(collective.here), report.joined)
    run = Run(
        configuration=configuration,
        layers=layers,
        code=described(code),
        accuracy=accuracy(plain, weights, batches.test),
        finished=not reason,
        reason=reason,
        seconds=time.perf_counter() - began,
        engine=engine,
        joined=report.joined,
        **record.outcome(report, struck),
    )
    return Trained(run, weights, speaker)


# --- the network ------------------------------------------------------------------------------------------------------


def perceptron(layers: Sequence[int], dtype: torch.dtype, seed: int) -> nn.Sequential:
    """Linear layers with ReLU between them, initialized by seed; torch's own generator is left as it is.

    >>> perceptron((4, 8, 2), torch.float32, seed=0)(torch.zeros(3, 4)).shape
    torch.Size([3, 2])
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        linear = [nn.Linear(before, after, dtype=dtype) for before, after in pairwise(layers)]
    return nn.Sequential(*(part for each in linear for part in (each, nn.ReLU())))[:-1]


def accuracy(plain: nn.Module, weights: Mapping[str, Tensor], test: tuple[Tensor, Tensor]) -> float:
    """Share of the samples that the plain model puts into the right class with these weights."""
    x, y = test
    plain.load_state_dict(weights)
    with torch.no_grad():
        return float((plain(x).argmax(dim=1) == y).double().mean())


class _Batches:
    """The samples of each update: a new order in every epoch, the same one for the same seed."""

    def __init__(self, data: Data, size: int, seed: int, dtype: torch.dtype) -> None:
        self._x, self._y = torch.from_numpy(data.x_train).to(dtype), torch.from_numpy(data.y_train)
        self.test = torch.from_numpy(data.x_test).to(dtype), torch.from_numpy(data.y_test)
        self._size, self._seed = size, seed
        self.in_an_epoch = math.ceil(len(self._x) / size)

    def __getitem__(self, step: int) -> tuple[Tensor, Tensor]:
        """Samples and labels of one update, from 0 on."""
        epoch, place = divmod(step, self.in_an_epoch)
        order = np.random.default_rng([self._seed, 2, epoch]).permutation(len(self._x))
        chosen = torch.from_numpy(order[place * self._size : (place + 1) * self._size])
        return self._x[chosen], self._y[chosen]


@contextmanager
def _threads(multiplications: int) -> Iterator[None]:
    """One thread where there is so little to do at a time that several would only wait for one another."""
    before = torch.get_num_threads()
    if multiplications < _WORTH_THREADS:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _place(directory: str | Path | None) -> AbstractContextManager[str | Path]:
    """Where checkpoints go: the directory given, or one that vanishes in the end."""
    return nullcontext(directory) if directory is not None else tempfile.TemporaryDirectory(prefix="anyk-train-")
