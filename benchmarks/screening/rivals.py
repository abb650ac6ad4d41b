"""What each way to deal with wrong answers catches, and what it costs, on the same matrices in the same run.

Ours: a coded product on 18 workers, any 9 of whom suffice. Theirs: a plain product with checksums (ABFT), with
Freivalds' check, computed twice, or three times with a vote; cut into 3 x 3 blocks, one for each worker.
"""

from collections import Counter
from collections.abc import Callable, Iterator

import numpy as np
from numpy.random import Generator

import anyk
from anyk.arrays import times_few
from anyk.probes import draw_columns
from anyk.verbs.screen import OperandScreen, Screening
from anyk.weights import product_error
from benchmarks.screening.cost import seconds
from benchmarks.screening.words import Array, Row

CODE = anyk.codes.polynomial(3, 3, 18)
GRID = 3
#: What goes wrong: in how many blocks, how much of them, and whether those who err agree with one another.
FAULTS = {"one entry": 1, "one worker": 1, "three workers": 3, "nine workers who agree": 9}

#: What came of it: the product is right; it is wrong, and that is known; it is wrong, and nobody knows.
RIGHT, NOTICED, MISSED = "right", "noticed", "missed"
Method = Callable[[Array, Array, str, Generator], str]


def rivals(side: int, trials: int, trial_side: int) -> Iterator[Row]:
    """Work in products, checking included; and of random trials, how many end right, noticed or missed.

    Args:
        side: of the matrices for the cost.
        trials: of each kind of fault.
        trial_side: of the matrices for the trials.
    """
    for name, (method, work) in METHODS.items():
        row: Row = {"method": name, "work": work(side)}
        for fault in FAULTS:
            rng = np.random.default_rng(0)
            seen = Counter(
                method(*(rng.standard_normal((trial_side, trial_side)) for _ in "AB"), fault, rng)
                for _ in range(trials)
            )
            row[fault] = ", ".join(f"{seen[what]} {what}" for what in (RIGHT, NOTICED, MISSED) if seen[what])
        yield row


# --- faults ---------------------------------------------------------------------------------------------------------


def _spoilt(block: Array, fault: str, false: Array, rng: Generator) -> Array:
    """A wrong answer in place of a right one; ``false``: what those who agree say."""
    if fault == "one entry":
        wrong = block.copy()
        wrong[tuple(rng.integers(0, block.shape))] += rng.standard_normal() * np.linalg.norm(block) / block.size**0.5
        return wrong
    return false if "agree" in fault else rng.standard_normal(block.shape) * np.linalg.norm(block) / block.size**0.5


def _victims(fault: str, copies: int, rng: Generator) -> list[int]:
    """Which of the workers err, by number; worker 9 c + k computes copy c of block k. Those who agree are copies."""
    count, blocks = FAULTS[fault], GRID * GRID
    if "agree" not in fault:
        return [int(worker) for worker in rng.permutation(copies * blocks)[:count]]
    hit = rng.permutation(blocks)[: count // copies].tolist()
    return [copy * blocks + block for block in hit for copy in range(copies)]


def _block(matrix: Array, number: int) -> Array:
    height, width = (length // GRID for length in matrix.shape)
    i, l = divmod(number, GRID)
    return matrix[i * height : (i + 1) * height, l * width : (l + 1) * width]


def _copies(a: Array, b: Array, fault: str, copies: int, rng: Generator) -> tuple[list[Array], Array]:
    """The products that came, some blocks of which are wrong, and the right one."""
    right, false = a @ b, rng.standard_normal((len(a), len(a))) @ b
    came = [right.copy() for _ in range(copies)]
    for worker in _victims(fault, copies, rng):
        copy, number = divmod(worker, GRID * GRID)
        _block(came[copy], number)[...] = _spoilt(_block(right, number), fault, _block(false, number), rng)
    return came, right


def _is_right(value: Array, right: Array) -> bool:
    return bool(np.linalg.norm(value - right) < 1e-10 * np.linalg.norm(right))


# --- methods --------------------------------------------------------------------------------------------------------


def _coded(a: Array, b: Array, fault: str, rng: Generator, screen: str) -> str:
    left, right = CODE.encode(a, b)
    false = CODE.encode(rng.standard_normal(a.shape), b)[0]
    answers = {task: x @ y for task, (x, y) in enumerate(zip(left, right, strict=True))}
    for task in rng.permutation(CODE.workers)[: FAULTS[fault]].tolist():
        answers[task] = _spoilt(answers[task], fault, false[task] @ right[task], rng)
    wrong: tuple[int, ...]
    if screen == "checked":
        asked = Screening(CODE.workers - CODE.recovery_threshold, "checked", "random")
        wrong = OperandScreen(asked, CODE, (a, b), (left, right), None, rng).suspects(answers) or ()
    else:
        located = anyk.locate(CODE, answers, rng=rng)
        if not located.found:
            return NOTICED
        wrong = located.wrong
    kept = {task: answer for task, answer in answers.items() if task not in wrong}
    return RIGHT if _is_right(anyk.decode(CODE, kept, shape=(len(a), b.shape[1])).value, a @ b) else MISSED


def _checksums(a: Array, b: Array, fault: str, rng: Generator) -> str:
    """Huang and Abraham's: sums of rows and columns; one wrong entry is where both are off, and by how much."""
    (came,), right = _copies(a, b, fault, 1, rng)
    down, across = (a.sum(axis=0) @ b) - came.sum(axis=0), a @ b.sum(axis=1) - came.sum(axis=1)
    limit = 100 * product_error(a.dtype) * np.linalg.norm(a) * np.linalg.norm(b) / len(a) ** 0.5
    columns, rows = np.flatnonzero(abs(down) > limit), np.flatnonzero(abs(across) > limit)
    if len(columns) == len(rows) == 1:
        came[rows[0], columns[0]] += across[rows[0]]
    elif len(columns) or len(rows):
        return NOTICED
    return RIGHT if _is_right(came, right) else MISSED


def _freivalds(a: Array, b: Array, fault: str, rng: Generator) -> str:
    """Two random columns: C times them is A times B times them."""
    (came,), right = _copies(a, b, fault, 1, rng)
    if np.linalg.norm(_difference(a, b, came, rng)) > 1e-10 * np.linalg.norm(right):
        return NOTICED
    return RIGHT if _is_right(came, right) else MISSED


def _difference(a: Array, b: Array, c: Array, rng: Generator) -> Array:
    columns = draw_columns(b.shape[1], 2, rng)
    return times_few(a, times_few(b, columns)) - times_few(c, columns)


def _twice(a: Array, b: Array, fault: str, rng: Generator) -> str:
    (one, other), right = _copies(a, b, fault, 2, rng)
    if not _is_right(one, other):
        return NOTICED
    return RIGHT if _is_right(one, right) else MISSED


def _vote(a: Array, b: Array, fault: str, rng: Generator) -> str:
    came, right = _copies(a, b, fault, 3, rng)
    value = np.empty_like(right)
    for number in range(GRID * GRID):
        copies = [_block(each, number) for each in came]
        pairs = [(x, y) for place, x in enumerate(copies) for y in copies[place + 1 :] if _is_right(x, y)]
        if not pairs:
            return NOTICED
        _block(value, number)[...] = pairs[0][0]
    return RIGHT if _is_right(value, right) else MISSED


# --- cost, in plain products ----------------------------------------------------------------------------------------


def _matrices(side: int) -> tuple[Array, Array, float]:
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((side, side)), rng.standard_normal((side, side))
    return a, b, seconds(np.matmul, a, b)


def _work_of_coded(side: int, screen: str) -> float:
    """All block products, encoding, decoding, and looking where nobody is wrong."""
    a, b, plain = _matrices(side)
    left, right = CODE.encode(a, b)
    answers = {task: x @ y for task, (x, y) in enumerate(zip(left, right, strict=True))}
    work = CODE.workers * seconds(np.matmul, left[0], right[0]) + seconds(CODE.encode, a, b)
    work += seconds(anyk.decode, CODE, answers)
    if screen == "checked":
        work += seconds(_difference, a, b, a @ b, np.random.default_rng(1))
    else:
        work += seconds(anyk.locate, CODE, answers)
    return work / plain


def _work_of_checksums(side: int) -> float:
    a, b, plain = _matrices(side)
    sums, value = np.ones((1, side)), a @ b
    return 1 + seconds(lambda: ((sums @ a) @ b - sums @ value, a @ (b @ sums.T) - value @ sums.T)) / plain


def _work_of_freivalds(side: int) -> float:
    a, b, plain = _matrices(side)
    return 1 + seconds(_difference, a, b, a @ b, np.random.default_rng(1)) / plain


METHODS: dict[str, tuple[Method, Callable[[int], float]]] = {
    "coded, checked answers": (
        lambda a, b, fault, rng: _coded(a, b, fault, rng, "checked"),
        lambda side: _work_of_coded(side, "checked"),
    ),
    "coded, syndromes": (
        lambda a, b, fault, rng: _coded(a, b, fault, rng, "syndrome"),
        lambda side: _work_of_coded(side, "syndrome"),
    ),
    "checksums (ABFT)": (_checksums, _work_of_checksums),
    "Freivalds, 2 columns": (_freivalds, _work_of_freivalds),
    "computed twice": (_twice, lambda side: 2.0),
    "computed three times, vote": (_vote, lambda side: 3.0),
}
