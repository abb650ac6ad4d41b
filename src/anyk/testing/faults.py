"""What every fault model must do, as tests to run on your own.

Derive a class whose name starts with ``Test``, say how to make the model, and let pytest find it::

    class TestSawtooth(FaultContract):
        def make(self):
            return Sawtooth(period=4)

Statistical tests draw each trial from its own seed, so trials are independent whatever the model correlates, and take
their bounds from the exact law at ``confidence``: a correct model fails one of them once in a million, and no bound is
tuned.
"""

import importlib
import math
import pickle
from collections.abc import Callable, Iterator, Sequence
from dataclasses import FrozenInstanceError, dataclass, fields, is_dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

import anyk.faults
from anyk.faults import Draw, Fate, FaultModel
from anyk.faults.many import Batched, Draws, Fates, fates_of

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Rate:
    """How often something happens to one piece of work.

    Args:
        words: what happens, for the message.
        happens: whether it did.
        probability: how often it should, over all seeds.
    """

    words: str
    happens: Callable[[Fate], bool]
    probability: float


class FaultContract:
    """The contract of `anyk.faults.FaultModel`; derive from it and override ``make``."""

    #: Across what the model shares luck on purpose: some of "rounds" (of one worker) and "ranks" (of one round).
    correlated: Sequence[str] = ()
    #: How often what should happen.
    rates: Sequence[Rate] = ()
    #: Probability that a correct model passes one statistical test.
    confidence: float = 1 - 1e-6
    #: Seeds drawn in a statistical test.
    trials: int = 2000

    def make(self) -> FaultModel:
        """A model to test; called often, equal each time."""
        raise NotImplementedError("override make() to return the fault model under test")

    def test_a_seed_decides_every_fate(self) -> None:
        """Asked twice, in any order, of any copy, the same piece of work meets the same fate."""
        model = self.make()
        draws = list(_draws())
        fates = [model.fate(draw) for draw in draws]
        order = np.random.default_rng(0).permutation(len(draws))
        shuffled = {place: model.fate(draws[place]) for place in order}

        assert [shuffled[place] for place in range(len(draws))] == fates, "a fate depends on what was asked before"
        assert [self.make().fate(draw) for draw in draws] == fates, "two equal models disagree"

    def test_every_fate_is_possible(self) -> None:
        """Delays are finite and never negative, slowdowns at least 1, ends known."""
        model = self.make()
        for draw in _draws():
            fate = model.fate(draw)
            assert isinstance(fate, Fate)
            assert 0 <= fate.delay_seconds < math.inf, f"{draw}: no delay can be {fate.delay_seconds}"
            assert 1 <= fate.slowdown < math.inf, f"{draw}: no slowdown can be {fate.slowdown}"
            assert fate.end in ("", "crash", "stop"), f"{draw}: no end is called {fate.end!r}"

    def test_a_corruption_keeps_the_form_of_an_answer(self) -> None:
        """A wrong answer has the shape and dtype of the right one, which is left alone; asked again, it is the same."""
        model, rng = self.make(), np.random.default_rng(0)
        for draw in _draws():
            for corruption in model.fate(draw).corrupt:
                for dtype in (np.float32, np.float64, np.complex64, np.complex128):
                    answer, last = (rng.standard_normal((6, 5)).astype(dtype) for _ in range(2))
                    before = answer.copy()
                    wrong = corruption(answer, last)
                    assert (wrong.shape, wrong.dtype) == (answer.shape, answer.dtype), f"{draw}: another form"
                    assert (answer == before).all(), f"{draw}: the right answer itself was changed"
                    copy = pickle.loads(pickle.dumps(corruption))
                    np.testing.assert_array_equal(copy(answer, last), wrong, f"{draw}: another answer when asked again")

    def test_the_model_is_a_frozen_value(self) -> None:
        """A frozen dataclass: equal when made alike, hashable, unchangeable."""
        model = self.make()
        assert is_dataclass(model)
        assert model == self.make()
        assert hash(model) == hash(self.make())
        for field in fields(model):
            assert _refuses_change(model, field.name), f"{field.name} can be changed: use @dataclass(frozen=True)"

    def test_the_model_travels_between_processes(self) -> None:
        """A pickled copy is equal and meets the same fates."""
        model = self.make()
        copy = pickle.loads(pickle.dumps(model))

        assert copy == model
        assert [copy.fate(draw) for draw in _draws()] == [model.fate(draw) for draw in _draws()]

    def test_the_repr_builds_the_model_again(self) -> None:
        """A run's record holds the repr; it must be enough to repeat the run."""
        model = self.make()
        names = vars(anyk.faults) | vars(importlib.import_module(type(model).__module__))

        assert eval(repr(model), dict(names)) == model

    def test_rounds_are_independent(self) -> None:
        """What happens to a worker in one round says nothing about the next, unless declared."""
        if "rounds" not in self.correlated:
            self._check_independence("rounds", lambda seed: (Draw(seed, 2, 1), Draw(seed, 3, 1)))

    def test_ranks_are_independent(self) -> None:
        """What happens to one worker says nothing about its neighbour, unless declared."""
        if "ranks" not in self.correlated:
            self._check_independence("ranks", lambda seed: (Draw(seed, 2, 0), Draw(seed, 2, 1)))

    def test_rates_are_as_declared(self) -> None:
        """Each declared rate lies within the binomial bounds of its probability."""
        model = self.make()
        fates = [model.fate(Draw(seed, round=seed % 7, rank=seed % 5)) for seed in range(self.trials)]
        for rate in self.rates:
            low, high = stats.binom.interval(self.confidence, self.trials, rate.probability)
            count = sum(map(rate.happens, fates))
            assert low <= count <= high, f"{rate.words}: {count} of {self.trials}, outside [{low:g}, {high:g}]"

    def test_many_fates_at_once_have_the_law_of_each_alone(self) -> None:
        """Where the model has ``fates``: delays and slowdowns by Kolmogorov and Smirnov, events and pairs by Fisher."""
        model = self.make()
        if not isinstance(model, Batched):
            return
        trials = self.trials // 4
        one, many = (
            [
                fates_of(model, Draws(seed, range(2, 4), 2), alone=alone)
                for seed in range(alone * trials, alone * trials + trials)
            ]
            for alone in (True, False)
        )
        for words, of in _NUMBERS.items():
            chance = stats.ks_2samp([of(fates)[0, 1] for fates in one], [of(fates)[0, 1] for fates in many]).pvalue
            assert chance >= 1 - self.confidence, f"{words} of many have another law than each alone (p = {chance:.1g})"
        bar = np.median([_NUMBERS["delays"](fates) for fates in one])
        late: dict[str, Callable[[Fates], object]] = {
            "late answers": lambda fates: np.greater(fates.delay_seconds, bar)
        }
        for words, happens in (_EVENTS | late).items():
            for where, places in _PLACES.items():
                counts = [sum(bool(_spread(happens(fates))[places].all()) for fates in side) for side in (one, many)]
                low, high = stats.hypergeom.interval(self.confidence, 2 * trials, sum(counts), trials)
                assert low <= counts[1] <= high, f"{words} {where}: {counts[0]} of {trials} alone, {counts[1]} of many"

    def _check_independence(self, across: str, pair: Callable[[int], tuple[Draw, Draw]]) -> None:
        """Fisher's exact test: are bad fates of the two partners together as often as chance has it?"""
        model = self.make()
        fates = [[model.fate(draw) for draw in pair(seed)] for seed in range(self.trials)]
        first, second = _bad(fates).T
        low, high = stats.hypergeom.interval(self.confidence, self.trials, first.sum(), second.sum())
        both = (first & second).sum()
        assert low <= both <= high, (
            f"fates depend on each other across {across}: {both} pairs of {self.trials} are bad together, outside "
            f"[{low:g}, {high:g}]. If that is meant, declare correlated = ({across!r},)."
        )


#: What of a block of fates is compared as numbers, what as events, and where.
_NUMBERS: dict[str, Callable[[Fates], NDArray[np.float64]]] = {
    "delays": lambda fates: np.broadcast_to(fates.delay_seconds, (2, 2)),
    "slowdowns": lambda fates: np.broadcast_to(fates.slowdown, (2, 2)),
}
_EVENTS: dict[str, Callable[[Fates], object]] = {
    "crashes": lambda fates: fates.crashes,
    "stops": lambda fates: fates.stops,
    "wrong answers": lambda fates: fates.wrong,
    "slow workers": lambda fates: np.greater(fates.slowdown, 1.0),
}
_PLACES = {"of one piece": np.s_[:1, 1:], "of two ranks": np.s_[:1, :], "of two rounds": np.s_[:, 1:]}


def _spread(flags: object) -> Flags:
    return np.broadcast_to(np.asarray(flags, bool), (2, 2))


def _draws() -> Iterator[Draw]:
    """Some pieces of work: seeds, rounds and ranks, near and far."""
    for seed in (0, 1, 2**40):
        for round in (0, 1, 2, 1000):
            for rank in (0, 1, 7, 255):
                yield Draw(seed, round, rank)


def _bad(pairs: Sequence[Sequence[Fate]]) -> Flags:
    """Which fates are worse than the median of all (where none is: as bad as it)."""
    keys = np.array([[_badness(fate) for fate in pair] for pair in pairs])
    _, places = np.unique(keys.reshape(-1, 4), axis=0, return_inverse=True)
    rank = places.reshape(keys.shape[:2])
    median = np.sort(rank, axis=None)[rank.size // 2]
    worse: Flags = rank > median
    return worse if worse.any() else np.equal(rank, median)


def _badness(fate: Fate) -> tuple[bool, float, float, int]:
    """What of a fate is compared, worst first."""
    return fate.end != "", fate.delay_seconds, fate.slowdown, len(fate.corrupt)


def _refuses_change(model: FaultModel, field: str) -> bool:
    try:
        setattr(model, field, getattr(model, field))
    except FrozenInstanceError:
        return True
    return False
