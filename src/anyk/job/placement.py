"""Which worker computes which task.

Task w starts on worker w (modulo the workers there are), so that a worker's place in the code is its rank; but tasks
that compute the same go to different workers. A repeated task goes where least is waiting. Workers who are not trusted
get nothing as long as there are others.
"""

from collections import Counter
from collections.abc import Collection, Hashable, Mapping, Sequence

from anyk.errors import InputError


def homes(alike: Sequence[Hashable], workers: int, avoided: Collection[int] = ()) -> tuple[int, ...]:
    """Where each task is computed first: in turn, copies apart, loads even.

    Args:
        alike: of each task, what it computes: equal for copies of the same product.
        workers: number of workers; at least 1.
        avoided: workers who get no task, unless nobody else is there; all other tasks stay where they are.

    Returns:
        A worker for each task. Two copies meet on one worker only where there are more copies than workers.

    >>> homes(range(5), workers=3)
    (0, 1, 2, 0, 1)
    >>> homes(["a", "b", "a", "b"], workers=2)
    (0, 1, 1, 0)
    >>> homes(range(5), workers=5, avoided=[1])
    (0, 2, 2, 3, 4)
    """
    chosen = _in_turn(alike, workers)
    trusted = [rank for rank in range(workers) if rank not in avoided]
    if not trusted:
        return chosen
    places: list[int] = [*chosen]
    loads = Counter(worker for worker in chosen if worker in trusted)
    for task, worker in enumerate(chosen):
        if worker in trusted:
            continue
        copies = {places[other] for other in range(len(alike)) if other != task and alike[other] == alike[task]}
        places[task] = min(trusted, key=lambda rank: (rank in copies, loads[rank], (rank - worker) % workers))
        loads[places[task]] += 1
    return tuple(places)


def _in_turn(alike: Sequence[Hashable], workers: int) -> tuple[int, ...]:
    if len({*alike}) == len(alike):
        return tuple(task % workers for task in range(len(alike)))
    loads, places = [0] * workers, dict[Hashable, set[int]]()
    chosen = []
    for task, what in enumerate(alike):
        copies = places.setdefault(what, set())
        worker = min(range(workers), key=lambda rank: (rank in copies, loads[rank], (rank - task) % workers))
        loads[worker] += 1
        copies.add(worker)
        chosen.append(worker)
    return tuple(chosen)


def known_homes(given: Sequence[int] | None, tasks: int, workers: int) -> Sequence[int]:
    """The homes given, or those of tasks that all differ.

    Raises:
        InputError: not a worker for each task.
    """
    if given is None:
        return homes(range(tasks), workers)
    if len(given) != tasks or not all(0 <= worker < workers for worker in given):
        raise InputError(
            f"`Job(tasks={tasks}, workers={workers}, homes={given})`: homes are {tasks} numbers from 0 to {workers - 1}"
        )
    return given


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
