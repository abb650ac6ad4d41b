"""Which worker computes which task.

Task w starts on worker w (modulo the workers there are), so that a worker's place in the code is its rank.
A repeated task goes where least is waiting.
"""

from collections.abc import Collection, Mapping


def home(task: int, workers: int) -> int:
    """Where a task is computed first.

    >>> [home(task, workers=3) for task in range(5)]
    [0, 1, 2, 0, 1]
    """
    return task % workers


def elsewhere(loads: Mapping[int, int], *, failed: Collection[int] = (), distrusted: Collection[int] = ()) -> int:
    """Where a task is computed again: the least loaded worker, the lowest rank among equals.

    Args:
        loads: living worker -> tasks it still owes; not empty.
        failed: workers that lost this task before; taken only where no other is as free.
        distrusted: workers that gave a wrong answer; taken only where there is no other.

    >>> elsewhere({0: 1, 1: 0, 2: 0}, failed=[1])
    2
    >>> elsewhere({0: 1, 1: 0, 2: 0}, distrusted=[1, 2])
    0
    """
    return min(loads, key=lambda worker: (worker in distrusted, loads[worker], worker in failed, worker))
