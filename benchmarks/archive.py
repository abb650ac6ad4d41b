"""Add found codes to the archive if they beat the closed forms: `python -m benchmarks.archive FILE …`.

Both are scored on the same survivor sets: all of them, or 2,000 random ones that neither has seen. Without files, every
code of the archive is scored again and the index is rewritten.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

import anyk
from anyk.code import Code
from anyk.codes._archive import ARCHIVE, Found
from anyk.discovery import RANDOM, Discovery, Goal, Score, scored
from anyk.discovery.tables import Tables
from anyk.verbs.discover import starting_tables

#: A code enters the archive if it is at least so many times better.
LEAST_GAIN = 1.05

#: Seed of the sets that decide.
DECIDING = 2021

#: How many random codes a found one is compared with.
DRAWN = 5


def main(files: Sequence[str]) -> int:
    """Take the files in and rewrite the index; 1 if one was not better."""
    ARCHIVE.mkdir(exist_ok=True)
    refused = [file for file in files if not taken_in(Discovery.load(file))]
    for file in refused:
        print(f"{file}: no better than what there is", file=sys.stderr)
    entries = sorted(indexed(), key=lambda each: (each.rows * each.cols, each.inner, each.results, each.workers))
    text = json.dumps([asdict(each) for each in entries], indent=1)
    (ARCHIVE / "index.json").write_text(text + "\n", encoding="utf-8")
    return bool(refused)


def taken_in(found: Discovery) -> bool:
    """Write the code and its provenance, unless the closed form or the code that is there is as good."""
    goal, path = found.goal, ARCHIVE / f"{found.goal.name}.json"
    score, closed = score_of(goal, found.code), closed_form(goal)[1]
    least = aim(goal, score)
    if aim(goal, closed) < LEAST_GAIN * least:
        return False
    if path.exists() and aim(goal, score_of(goal, Code.load(path))) <= least:
        return False
    found.code.save(path)
    text = json.loads(path.read_text(encoding="utf-8"))
    text["anyk_discovery"] = found.provenance() | {"score": asdict(score)}
    path.write_text(json.dumps(text, indent=1) + "\n", encoding="utf-8")
    return True


def indexed() -> Iterator[Found]:
    """A line for every file."""
    for path in sorted(ARCHIVE.glob("*.json")):
        if path.name != "index.json":
            yield entry(path)


def entry(path: Path) -> Found:
    """Score one file of the archive, and its closed form, on fresh sets."""
    code = Code.load(path)
    told = json.loads(path.read_text(encoding="utf-8"))["anyk_discovery"]
    goal = goal_of(code, told)
    score, (words, closed) = score_of(goal, code), closed_form(goal)
    cut = code.partition
    return Found(
        name=path.stem,
        rows=cut.rows,
        inner=cut.inner,
        cols=cut.cols,
        workers=code.workers,
        results=code.recovery_threshold,
        dtype=goal.dtype,
        objective=goal.objective,
        rms=score.rms,
        median=score.median,
        worst=score.worst,
        amplification=score.amplification,
        sets=score.sets,
        closed_form=words,
        closed_rms=closed.rms,
        closed_median=closed.median,
        closed_worst=closed.worst,
        command=command(goal, told),
    )


def goal_of(code: Code, told: dict[str, Any]) -> Goal:
    """What a file of the archive was searched for."""
    return Goal(code.partition, code.workers, code.recovery_threshold, told["dtype"], told["objective"])


def score_of(goal: Goal, code: Code) -> Score:
    """Errors on the deciding sets."""
    return scored(goal, code.left, code.right, np.random.default_rng(DECIDING))


def closed_form(goal: Goal) -> tuple[str, Score]:
    """The best code in real arithmetic that needs no search, and its errors on the deciding sets."""
    words, tables = starting_tables(goal)
    assert tables is not None
    rivals = [(words, tables), *drawn_codes(goal)]
    scores = [(words, scored(goal, *tables, np.random.default_rng(DECIDING))) for words, tables in rivals]
    return min(scores, key=lambda each: aim(goal, each[1]))


def drawn_codes(goal: Goal) -> Iterator[tuple[str, Tables]]:
    """Random Khatri-Rao codes of a few seeds, for partitions that have them."""
    cut = goal.partition
    for seed in range(DRAWN if cut.inner == 1 and goal.results == cut.wanted else 0):
        code = anyk.codes.random_khatri_rao(cut.rows, cut.cols, goal.workers, rng=seed)
        yield f"random Khatri-Rao, seed {seed}", (code.left, code.right)


def aim(goal: Goal, score: Score) -> float:
    """What was minimized."""
    return score.rms if goal.objective == "rms" else score.worst


def command(goal: Goal, told: dict[str, Any]) -> str:
    """What finds the code again."""
    cut = goal.partition
    grid = "" if cut.wanted == 1 else f"--rows {cut.rows} --cols {cut.cols} "
    start = "--start random " if told["start"] == RANDOM else ""
    return (
        f"anyk discover {grid}--inner {cut.inner} --workers {goal.workers} --results {goal.results} "
        f"--dtype {goal.dtype} --objective {goal.objective} --method {told['method']} {start}"
        f"--seed {told['seed']} --budget {told['iterations']} -o {goal.name}.json"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
