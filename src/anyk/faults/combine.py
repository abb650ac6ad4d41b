"""Several fault models at once."""

from dataclasses import dataclass, replace

import numpy as np

from anyk.faults import checks
from anyk.faults.base import Draw, Fate, FaultModel
from anyk.faults.many import Draws, Fates, fates_of, is_whole_time

#: Sets the seeds of a combination's members apart from the streams of `Draw`, which use 1, 2 and 3.
MEMBERS = 4


@dataclass(frozen=True)
class Combined:
    """All members at once; `combine` makes it.

    Delays add, slowdowns multiply, corruptions follow one another, and of several ends the first in time happens (at
    equal times the first member's). The time of an end counts from when the worker got the work; delays do not postpone
    it.

    Args:
        models: the members. Each draws from its own seed, derived from the run's seed and its position.

    Raises:
        InputError: a member without a ``fate``.
    """

    models: tuple[FaultModel, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "models", tuple(self.models))
        for model in self.models:
            if isinstance(model, type) or not callable(getattr(model, "fate", None)):
                checks.refuse(self, "models", model, "fault models", "Give instances, for example Crash(ranks=(1,)).")

    @property
    def is_whole_time(self) -> bool:
        """Whether a member draws the whole time of a task."""
        return any(map(is_whole_time, self.models))

    def fate(self, draw: Draw) -> Fate:
        """The members' fates, merged."""
        fates = [model.fate(_apart(draw, position)) for position, model in enumerate(self.models)]
        slowdown = float(np.prod([fate.slowdown for fate in fates]))
        corrupt = tuple(corruption for fate in fates for corruption in fate.corrupt)
        ends = [fate for fate in fates if fate.end]
        if ends:
            first = min(ends, key=lambda fate: fate.delay_seconds)
            return Fate(first.delay_seconds, first.end, slowdown, corrupt)
        return Fate(float(sum(fate.delay_seconds for fate in fates)), "", slowdown, corrupt)

    def fates(self, draws: Draws) -> Fates:
        """The members' fates, merged in the same way."""
        seeds = [_seed(draws.seed, position) for position in range(len(self.models))]
        members = [fates_of(model, replace(draws, seed=seed)) for model, seed in zip(self.models, seeds, strict=True)]
        delays, slowdown, ends_at = np.zeros(draws.shape), np.ones(draws.shape), np.full(draws.shape, np.inf)
        crashes, stops, wrong = (np.zeros(draws.shape, bool) for _ in range(3))
        for fates in members:
            slowdown *= fates.slowdown
            wrong |= fates.wrong
            delays += fates.delay_seconds
            first = (np.logical_or(fates.crashes, fates.stops)) & (fates.delay_seconds < ends_at)
            ends_at = np.where(first, fates.delay_seconds, ends_at)
            crashes, stops = np.where(first, fates.crashes, crashes), np.where(first, fates.stops, stops)
        return Fates(np.where(crashes | stops, ends_at, delays), crashes, stops, slowdown, wrong)


def combine(*models: FaultModel) -> FaultModel:
    """Several fault models as one: delays add, slowdowns multiply, the first end wins.

    Combinations inside a combination are opened, so grouping does not matter; one model alone is returned as it is;
    with no model at all nothing ever happens. The order decides which random numbers each member sees.

    Args:
        models: any number of fault models.

    Returns:
        A fault model whose members draw independently of each other.

    Raises:
        InputError: something without a ``fate``.

    >>> from anyk.faults import Crash, SlowNodes
    >>> both = combine(SlowNodes(ranks=(1,), factor=3.0), Crash(ranks=(2,)))
    >>> [both.fate(Draw(seed=0, round=0, rank=rank)) for rank in (1, 2)]  # doctest: +NORMALIZE_WHITESPACE
    [Fate(delay_seconds=0.0, end='', slowdown=3.0, corrupt=()),
     Fate(delay_seconds=0.0, end='crash', slowdown=1.0, corrupt=())]
    """
    members: list[FaultModel] = []
    for model in models:
        members += model.models if isinstance(model, Combined) else (model,)
    combined = Combined(tuple(members))
    return members[0] if len(members) == 1 else combined


def _apart(draw: Draw, position: int) -> Draw:
    """The same piece of work seen with the seed of one member."""
    return Draw(_seed(draw.seed, position), draw.round, draw.rank)


def _seed(seed: int, position: int) -> int:
    return int(np.random.default_rng([seed, MEMBERS, position]).integers(2**63))
