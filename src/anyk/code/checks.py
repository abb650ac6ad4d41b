"""Arguments of a code are valid, or there is no code."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anyk.errors import CodeError, InputError
from anyk.partition import Partition


def frozen(table: ArrayLike) -> NDArray[Any]:
    """An unchangeable copy, float64 or complex128."""
    own = np.array(table)
    own = own.astype(np.complex128 if np.iscomplexobj(own) else np.float64)
    own.flags.writeable = False
    return own


def check_tables(name: str, cut: Partition, left: NDArray[Any], right: NDArray[Any], workers: int) -> None:
    """Both tables fit the partition and each other, and are finite."""
    if left.shape != (cut.rows, cut.inner, workers) or right.shape != (cut.inner, cut.cols, workers):
        raise CodeError(f"{name}: tables of shape {left.shape} and {right.shape} do not fit partition {cut}.")
    if not (np.isfinite(left).all() and np.isfinite(right).all()):
        raise CodeError(f"{name}: encoding coefficients must be finite numbers.")


def check_thresholds(name: str, recovery: int, exact: int, workers: int) -> None:
    """Both are integers within the tasks, and rise; workers + 1 stands for never."""
    whole = type(recovery) is int and type(exact) is int
    if not (whole and 1 <= recovery <= workers and recovery <= exact <= workers + 1):
        raise CodeError(
            f"{name}: thresholds {recovery} (recovery) and {exact} (exact) must be integers that rise and lie "
            f"between 1 and the {workers} tasks. Use more workers or a coarser partition."
        )


def checked_positions(name: str, positions: NDArray[Any], workers: int) -> NDArray[np.intp]:
    """An unchangeable copy of an order of 0 … P-1."""
    own = np.array(positions)
    if own.shape != (workers,) or sorted(own) != [*range(workers)]:
        raise CodeError(f"{name}: positions must hold each of 0 … {workers - 1} once.")
    own = own.astype(np.intp)
    own.flags.writeable = False
    return own


def checked_tasks(survivors: Iterable[int], workers: int) -> NDArray[np.intp]:
    """Distinct task numbers of a code, in the order they came in."""
    tasks = np.fromiter(survivors, dtype=np.intp)
    if len(set(tasks.tolist())) != len(tasks) or (tasks.size and not 0 <= tasks.min() <= tasks.max() < workers):
        raise InputError(f"survivors must be distinct tasks 0 … {workers - 1}, not {tasks.tolist()}.")
    return tasks
