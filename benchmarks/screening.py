"""How well wrong answers are found, and what that costs: `python -m benchmarks.screening [table …]`.

*found*: of random trials, how many end with every wrong answer named (or below rounding), with a declared failure, or
silently wrong; by code size, number of wrong answers and kind of error. *conspiracies*: the same for workers who agree
on a false codeword, and for errors with one cause. *clean*: the loudest of many right words, against the threshold.
*smallest*: the smallest error that is named in 99 of 100 trials, by columns of the fingerprint. *cost*: of looking, of
locating, and of the alternatives, at 2000 x 2000 with 18 workers. Times are processor seconds of one thread.
"""

import argparse
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

import anyk
from anyk.code import Code
from anyk.faults import BitFlip, Draw, GaussianError, LowRank
from anyk.faults.corruption import Corrupting
from anyk.probes import Probe
from anyk.screening import Evidence, columns_for, draw_columns
from anyk.screening import locate as locate_in
from anyk.screening.pursuit import pursue
from anyk.verbs.screen import Screen, Screening
from benchmarks.__main__ import table

Array = NDArray[Any]
Answers = dict[int, Array]
SIZES = ((8, 4), (16, 8), (20, 10), (40, 20))
DTYPES = ("float64", "float32")
SIDE = 24


def word(code: Code, rng: Generator, dtype: str, side: int = SIDE) -> Answers:
    """All answers of one product of random matrices."""
    cut = code.partition
    a = rng.standard_normal((cut.rows * side, cut.inner * side)).astype(dtype)
    b = rng.standard_normal((cut.inner * side, cut.cols * side)).astype(dtype)
    return {task: x @ y for task, (x, y) in enumerate(zip(*code.encode(a, b), strict=True))}


# --- kinds of errors ------------------------------------------------------------------------------------------------


def _model(rng: Generator, kind: str, task: int) -> Corrupting:
    hit = {"ranks": (task,)}
    match kind:
        case "block":
            return GaussianError(**hit)
        case "block 1e-3 … 1e6":
            return GaussianError(size=10 ** rng.uniform(-3, 6), **hit)
        case "entry 1e-3 … 1e6":
            return GaussianError(size=10 ** rng.uniform(-3, 6), share=0.0, **hit)
        case "bit flip":
            return BitFlip(**hit)
        case "one cause":
            return LowRank(size=10 ** rng.uniform(-1, 2), **hit)
    raise ValueError(kind)


KINDS = ("block", "block 1e-3 … 1e6", "entry 1e-3 … 1e6", "bit flip")


def spoilt(answers: Answers, other: Answers, wrong: Sequence[int], kind: str, rng: Generator) -> Answers:
    """The answers with some of them wrong; "false codeword": those of another product."""
    if kind == "false codeword":
        return answers | {task: other[task] for task in wrong}
    seed = int(rng.integers(2**40))
    fates = {task: _model(rng, kind, task).fate(Draw(seed, 0, task)) for task in wrong}
    return answers | {task: fate.corrupt[0](answers[task], None) for task, fate in fates.items()}


def outcome(code: Code, answers: Answers, given: Answers, model: str, rng: Generator) -> str:
    """Whether what was asked of the answers came out right, declared or silently wrong."""
    located = locate_in(code, given, model, rng)
    if not located.found:
        return "declared"
    kept = [task for task in given if task not in located.wrong]
    weights, _ = code.solve(kept, given[0].dtype)
    weights = weights.astype(np.result_type(weights, given[0], np.float64))
    formed, right = (
        weights @ np.array([each[task].ravel() for task in kept]).astype(weights.dtype) for each in (given, answers)
    )
    error = np.linalg.norm(formed - right) / np.linalg.norm(right)
    # An error that cannot be told from rounding may be enlarged by the decoding weights, as rounding is.
    hidden = located.unseen * float(np.linalg.norm(weights * code.answer_sizes[kept], axis=0).max())
    return "right" if error < max(100 * code.expected_error(kept, given[0].dtype), hidden) else "silent"


def tallies(
    trials: int, sizes: Sequence[tuple[int, int]], kinds: Sequence[str], model: str, beyond: int
) -> Iterator[list[str]]:
    """Rows of outcomes; ``beyond``: how many more wrong answers than promised are tried too."""
    rng = np.random.default_rng(0)
    for workers, threshold in sizes:
        code = anyk.codes.mds(threshold, workers)
        promised = code.wrong_answers_correctable(workers, model=model)
        for dtype in DTYPES:
            for kind in kinds:
                for count in range(1, promised + beyond + 1):
                    seen: Counter[str] = Counter()
                    for trial in range(trials):
                        if trial % 50 == 0:
                            answers, other = word(code, rng, dtype), word(code, rng, dtype)
                        wrong = rng.permutation(workers)[:count].tolist()
                        given = spoilt(answers, other, wrong, kind, rng)
                        seen[outcome(code, answers, given, model, rng)] += 1
                    shares = [f"{seen[each] / trials:.3f}" for each in ("right", "declared", "silent")]
                    note = "" if count <= promised else "beyond"
                    yield [f"({workers}, {threshold})", dtype, kind, str(count), *shares, note]


HEAD = ["(P, K)", "dtype", "errors", "wrong", "named", "declared", "silent", ""]


def found(trials: int, sizes: Sequence[tuple[int, int]]) -> Iterator[list[str]]:
    """Independent errors, up to P - K - 1 of them and one more."""
    yield HEAD
    yield from tallies(trials, sizes, KINDS, "random", beyond=1)


def conspiracies(trials: int, sizes: Sequence[tuple[int, int]]) -> Iterator[list[str]]:
    """Errors that depend on one another, up to half the spare answers."""
    yield HEAD
    yield from tallies(trials, sizes, ("false codeword", "one cause"), "adversarial", beyond=0)


# --- right words ----------------------------------------------------------------------------------------------------


def clean(words: int) -> Iterator[list[str]]:
    """Right words, fresh and drifted, by dtype: suspected ones, and the loudest in shares of the threshold."""
    yield ["dtype", "words", "state", "suspected", "loudest / threshold"]
    rng = np.random.default_rng(0)
    for dtype in DTYPES:
        for state, drift in (("fresh", 0.0), ("drifted", 1e-4)):
            seen, suspected, loudest = 0, 0, 0.0
            while seen < words:
                workers, threshold = SIZES[seen % 3]
                code = anyk.codes.mds(threshold, workers)
                answers = word(code, rng, dtype, side=256)
                if drift:
                    answers = {task: y * (1 + drift * rng.standard_normal(y.shape)) for task, y in answers.items()}
                drawn = draw_columns(256, columns_for(workers - threshold - 1), rng)
                evidence = Evidence.of(code, answers, drawn, drift or None)
                syndrome = evidence.syndrome(evidence.finite)
                seen += evidence.among
                suspected += int((syndrome.loudness > syndrome.limit).sum())
                loudest = max(loudest, float(syndrome.loudness.max() / syndrome.limit))
            yield [dtype, f"{seen:,}", state, str(suspected), f"{loudest:.2f}"]


# --- the smallest error ---------------------------------------------------------------------------------------------


def smallest(trials: int) -> Iterator[list[str]]:
    """Size of an error, relative to the answer's root mean square, that is named in 99 % of trials."""
    yield ["dtype", "side", "error in", *(f"{columns} columns" for columns in (1, 2, 4, 8))]
    code = anyk.codes.mds(4, 8)
    for dtype in DTYPES:
        for side in (16, 128):
            for kind, share in (("the whole block", 1.0), ("one entry", 0.0)):
                yield [dtype, str(side), kind, *(_least(code, dtype, side, share, r, trials) for r in (1, 2, 4, 8))]


def _least(code: Code, dtype: str, side: int, share: float, columns: int, trials: int) -> str:
    rng = np.random.default_rng(0)
    answers = word(code, rng, dtype, side)
    for exponent in np.arange(-16 if dtype == "float64" else -8, 2, 0.25):
        named = 0
        for trial in range(trials):
            model = GaussianError(size=10**exponent, share=share, ranks=(3,))
            given = answers | {3: model.fate(Draw(trial, 0, 3)).corrupt[0](answers[3], None)}
            evidence = Evidence.of(code, given, draw_columns(side, columns, rng))
            named += not evidence.syndrome(evidence.finite).agrees
        if named >= 0.99 * trials:
            return f"{10**exponent:.1e}"
    return "none"


# --- cost -----------------------------------------------------------------------------------------------------------


def seconds(work: Callable[..., object], *args: Any) -> float:
    """Least processor time of this thread, of three runs."""
    took = []
    for _ in range(3):
        began = time.thread_time()
        work(*args)
        took.append(time.thread_time() - began)
    return min(took)


def cost(side: int = 2000) -> Iterator[list[str]]:
    """Of screening, against the product; and of the alternatives, in the same run."""
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((side, side)), rng.standard_normal((side, side))
    yield ["what", "milliseconds", "of the product", "what it catches"]
    for code in (anyk.codes.generalized_polydot(2, 2, 2, 18), anyk.codes.matdot(4, 18), anyk.codes.mds(9, 18)):
        left, right = code.encode(a, b)
        answers = {task: x @ y for task, (x, y) in enumerate(zip(left, right, strict=True))}
        product = 18 * seconds(np.matmul, left[0], right[0])
        spare = 18 - code.recovery_threshold
        drawn = draw_columns(answers[0].shape[1], columns_for(spare - 1), rng)
        yield _row(f"{code.name}: 18 block products", product, product, "nothing")
        yield _row("  fingerprints", seconds(Evidence.of, code, answers, drawn), product, "")
        for count in (0, 1, 3):
            given = answers | {task: 1.001 * answers[task] for task in range(count)}
            took = seconds(pursue, Evidence.of(code, given, drawn))
            yield _row(f"  verdict, {count} wrong", took, product, f"{spare - 1} wrong answers")
        asked = Screening(spare, "checked", "random")
        screen = Screen(asked, code, left, right, rng)
        yield _row("  checked: what to expect", seconds(Screen, asked, code, left, right, rng), product, "")
        took = seconds(_checked, screen, answers)
        yield _row("  checked: all answers", took, product, f"{spare} wrong answers, also of liars")
    plain, c = seconds(np.matmul, a, b), a @ b
    yield _row("one plain product", plain, plain, "nothing")
    yield _row("  checksums (ABFT)", seconds(_checksums, a, b, c), plain, "one wrong entry: found and repaired")
    yield _row("  Freivalds, 6 columns", seconds(_freivalds, a, b, c, rng), plain, "that something is wrong, not where")
    yield _row("  compute twice", 2 * plain, plain, "that one is wrong, not which")
    yield _row("  three-way vote", 3 * plain, plain, "one wrong copy of three")


def _row(what: str, took: float, product: float, catches: str) -> list[str]:
    return [what, f"{1e3 * took:.1f}", f"{100 * took / product:.1f} %", catches]


def _checked(screen: Screen, answers: Answers) -> object:
    for task in answers:
        screen.forget(task)
    return screen.suspects(answers)


def _checksums(a: Array, b: Array, c: Array) -> tuple[Array, Array]:
    sums = np.ones((1, len(a)), a.dtype)
    return (sums @ a) @ b - sums @ c, a @ (b @ sums.T) - c @ sums.T


def _freivalds(a: Array, b: Array, c: Array, rng: Generator) -> float:
    return Probe.draw(a, b, rng).error(c)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.screening", description=__doc__.split("\n", 1)[0])
    parser.add_argument("tables", nargs="*", default=["found", "conspiracies", "clean", "smallest", "cost"])
    parser.add_argument("--trials", type=int, default=1000, help="in each cell")
    parser.add_argument("--words", type=int, default=1_000_000, help="right words")
    parser.add_argument("--least", type=int, default=8, help="smallest number of workers")
    parser.add_argument("--most", type=int, default=40, help="largest number of workers")
    chosen = parser.parse_args(arguments)
    sizes = [size for size in SIZES if chosen.least <= size[0] <= chosen.most]
    made = {
        "found": lambda: found(chosen.trials, sizes),
        "conspiracies": lambda: conspiracies(chosen.trials, sizes),
        "clean": lambda: clean(chosen.words),
        "smallest": lambda: smallest(max(20, chosen.trials // 10)),
        "cost": cost,
    }
    for name in chosen.tables:
        head, *rows = made[name]()
        what = (globals()[name].__doc__ or "").strip()
        print(f"\n{name}: {what}\n\n{table([dict(zip(head, row, strict=True)) for row in rows])}", flush=True)


if __name__ == "__main__":
    main()
