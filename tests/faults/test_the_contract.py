"""The kit for one's own fault models finds what is wrong with a model."""

import itertools
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from anyk.faults import Bimodal, Crash, Draw, Fate, GroupOutage, SlowNodes
from anyk.faults.many import Draws, Fates, ended
from anyk.testing.faults import FaultContract, Rate


@dataclass(frozen=True)
class Forgetful:
    """Draws from a counter of its own."""

    counter: itertools.count = field(default_factory=itertools.count, compare=False, repr=False)

    def fate(self, draw: Draw) -> Fate:
        return Fate(float(next(self.counter)))


@dataclass
class Soft:
    """Can be changed."""

    delay: float = 1.0

    def __hash__(self):
        return 1

    def fate(self, draw: Draw) -> Fate:
        return Fate(self.delay)


@dataclass(frozen=True)
class Impossible:
    """Has a fate that cannot be."""

    what: tuple = ()

    def fate(self, draw: Draw) -> Fate:
        return Fate(*self.what)


@dataclass(frozen=True)
class Meddling:
    """Spoils answers in a way that cannot be."""

    how: object = None

    def fate(self, draw: Draw) -> Fate:
        return Fate(corrupt=(self.how,))


def shortened(answer, last):
    return answer[1:]


def in_place(answer, last):
    answer *= 2
    return answer


def by_chance(answer, last):
    return answer + np.random.default_rng().random()


@dataclass(frozen=True)
class Mumbling:
    """Has a repr that builds something else."""

    delay: float = field(default=1.0, repr=False)

    def fate(self, draw: Draw) -> Fate:
        return Fate(self.delay)


@dataclass(frozen=True)
class Stuck:
    """Cannot be sent to another process."""

    key: object = field(default_factory=lambda: lambda: 0)

    def fate(self, draw: Draw) -> Fate:
        return Fate()


@dataclass(frozen=True)
class Hasty(Bimodal):
    """Says of many what it does not say of each."""

    def fates(self, draws: Draws) -> Fates:
        return replace(super().fates(draws), delay_seconds=draws.own().random(draws.shape))


@dataclass(frozen=True)
class Companionable(Crash):
    """Many crash together, each alone."""

    def fates(self, draws: Draws) -> Fates:
        struck = np.repeat(draws.shared().random((len(draws.rounds), 1)) < self.probability, draws.ranks, axis=1)
        return ended(struck, "crash", 0.0)


def kit(model, **attributes):
    contract = type("TestModel", (FaultContract,), attributes)()
    contract.make = lambda: model
    return contract


@pytest.mark.parametrize(
    ("model", "test"),
    [
        (Forgetful(), "test_a_seed_decides_every_fate"),
        (Soft(), "test_the_model_is_a_frozen_value"),
        (Impossible((-1.0,)), "test_every_fate_is_possible"),
        (Impossible((float("inf"),)), "test_every_fate_is_possible"),
        (Impossible((0.0, "explode")), "test_every_fate_is_possible"),
        (Impossible((0.0, "", 0.5)), "test_every_fate_is_possible"),
        (Meddling(shortened), "test_a_corruption_keeps_the_form_of_an_answer"),
        (Meddling(in_place), "test_a_corruption_keeps_the_form_of_an_answer"),
        (Meddling(by_chance), "test_a_corruption_keeps_the_form_of_an_answer"),
        (Mumbling(2.0), "test_the_repr_builds_the_model_again"),
        (SlowNodes(fraction=0.25), "test_rounds_are_independent"),
        (GroupOutage(2, 0.25), "test_ranks_are_independent"),
        (Hasty(0.25, 8.0), "test_many_fates_at_once_have_the_law_of_each_alone"),
        (Companionable(0.25), "test_many_fates_at_once_have_the_law_of_each_alone"),
    ],
)
def test_the_kit_finds_the_fault(model, test):
    with pytest.raises(AssertionError):
        getattr(kit(model), test)()


def test_the_kit_finds_a_model_that_cannot_travel():
    with pytest.raises((AttributeError, TypeError)):
        kit(Stuck()).test_the_model_travels_between_processes()


def test_the_kit_finds_a_wrong_rate():
    wrong = [Rate("straggles", lambda fate: fate.delay_seconds > 1, 0.1)]
    with pytest.raises(AssertionError, match=r"straggles: \d+ of 2000, outside"):
        kit(Bimodal(0.2, 8.0), rates=wrong).test_rates_are_as_declared()


def test_declared_correlation_is_allowed():
    kit(SlowNodes(fraction=0.25), correlated=("rounds",)).test_rounds_are_independent()
    kit(GroupOutage(2, 0.25), correlated=("ranks",)).test_ranks_are_independent()


def test_make_must_be_given():
    with pytest.raises(NotImplementedError, match="override make"):
        FaultContract().make()
