"""A code is a value: it cannot be changed, and a copy is the same."""

import pickle
import tempfile
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from functools import partial
from pathlib import Path

import numpy as np

from anyk.code import Code
from anyk.testing.codes.kit import Kit, new_rng
from anyk.weights import survivor_sets


class Values(Kit):
    """Codes are unchangeable, and survive files and pickling bit for bit."""

    def test_the_code_cannot_be_changed(self) -> None:
        """Not its fields, and not its tables."""
        _check_frozen(self.make())

    def test_a_saved_code_is_the_same_code(self) -> None:
        """Tables bit for bit, thresholds, and weights."""
        code = self.make()
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory, "code.json")
            code.save(path)
            _check_same(type(code).load(path), code)
            assert [entry.name for entry in Path(directory).iterdir()] == ["code.json"], "save() left something behind"

    def test_the_code_travels_between_processes(self) -> None:
        """A pickled copy is the same code, and as unchangeable."""
        code = self.make()
        code.expected_error(range(code.workers))  # what a code remembers must not stand in its way
        copy = pickle.loads(pickle.dumps(code))
        _check_same(copy, code)
        _check_frozen(copy)


def _check_frozen(code: Code) -> None:
    for name in ("name", "left", "recovery_threshold"):
        assert _refuses(FrozenInstanceError, partial(setattr, code, name, getattr(code, name))), f"{name} can be set"
    for name in ("left", "right", "positions"):
        table = getattr(code, name)
        assert table is None or _refuses(ValueError, partial(table.__setitem__, ..., 0)), f"{name} can be written to"


def _check_same(copy: Code, code: Code) -> None:
    for name in ("name", "partition", "recovery_threshold", "exact_threshold", "design_error", "workers", "reference"):
        assert getattr(copy, name) == getattr(code, name), f"the copy has another {name}"
    for name in ("left", "right", "positions"):
        mine, other = getattr(code, name), getattr(copy, name)
        assert (mine is None) == (other is None), f"the copy has lost its {name}"
        if mine is not None:
            assert (mine.dtype, mine.tobytes()) == (other.dtype, other.tobytes()), f"the copy's {name} differ"
    for tasks in survivor_sets(code.workers, code.recovery_threshold, 3, new_rng()):
        assert np.array_equal(copy.solve(tasks)[0], code.solve(tasks)[0]), "the copy decodes with other weights"


def _refuses(error: type[Exception], change: Callable[[], object]) -> bool:
    try:
        change()
    except error:
        return True
    return False
