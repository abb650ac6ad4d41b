"""Which answers are wrong, from the answers alone: fingerprints, parity checks, pursuit, and what can be promised."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from anyk.code import Code
from anyk.errors import InputError
from anyk.probes import draw_columns
from anyk.screening.collusion import candidates, draws_needed
from anyk.screening.pursuit import Explanation, explain, pursue
from anyk.screening.syndrome import Evidence, columns_for
from anyk.screening.thresholds import UNSEEN, false_agreement, in_words, loudest_clean, unseen

__all__ = [
    "UNSEEN",
    "Evidence",
    "Located",
    "Model",
    "columns_for",
    "draw_columns",
    "locate",
    "loudest_clean",
    "unseen",
]

#: Errors independent of one another, or of workers who may conspire.
Model = Literal["random", "adversarial"]

#: Errors that depend on one another are believed if the others agree by chance only this rarely.
_CHANCE = 1e-6

#: Limit on the sets drawn in search of a conspiracy.
_DRAWS: Mapping[str, int] = {"random": 5_000, "adversarial": 100_000}


@dataclass(frozen=True)
class Located:
    """Who is wrong, and how sure that is.

    Args:
        wrong: tasks whose answers are wrong, ascending; where ``found`` is False only those that are not finite.
        found: the other answers agree with one another, an error of each of them would show, and the model excludes any
            other explanation. False: a declared failure, nobody else can be named, and no product should be formed.
        certified: what the model assumes shows in the answers. ``"random"``: the errors are as many as they are
            independent; ``"adversarial"``: they are at most half as many as there are spare answers.
        reason: why, in words.
        false_agreement: probability that a set of answers this large agrees though a wrong one is among them whose
            error is independent of the others' and as large as the answers; 1 where nothing is checked.
        unseen: the largest error that one of the others can have, relative to the size of an answer (Frobenius norms):
            rounding, enlarged where the parity checks left hardly see an answer; inf where nothing is checked.
    """

    wrong: tuple[int, ...]
    found: bool
    certified: bool
    reason: str
    false_agreement: float
    unseen: float


def locate(
    code: Code,
    answers: Mapping[int, NDArray[Any]],
    model: Model,
    rng: Generator,
    *,
    noise: float | None = None,
    usual: float = 0.0,
) -> Located:
    """Find the wrong ones among some tasks' answers.

    Args:
        code: of the answers.
        answers: task -> its answer, all matrices of one shape and of floating or complex dtype.
        model: what errors may be like.
        rng: of the fingerprints.
        noise: relative error of one clean answer; default: rounding of its dtype.
        usual: root mean square of a product of two blocks, where it is known (see `Evidence.of`).
    """
    if model not in ("random", "adversarial"):
        raise InputError(f"model={model!r} is unknown. Use 'random' or 'adversarial'.")
    width = next(iter(answers.values())).shape[1]
    correctable = len(answers) - code.recovery_threshold - 1
    evidence = Evidence.of(code, answers, draw_columns(width, columns_for(correctable), rng), noise, usual)
    return _verdict(evidence, model, _explained(evidence, model, rng))


def _explained(evidence: Evidence, model: Model, rng: Generator) -> Explanation | None:
    """The explanation that the model vouches for, if there is one."""
    first = pursue(evidence)
    if first is not None and _is_vouched_for(evidence, model, first):
        return first
    seen = evidence.syndrome(evidence.finite)
    spare, rank = _spare(evidence), seen.span().rank
    most = spare // 2 if model == "adversarial" else (spare + rank - 1) // 2
    # There are at least as many wrong ones as their errors are independent.
    if not max(1, rank) <= most < len(seen.words):
        return None
    for believed in candidates(evidence, most, _DRAWS[model], rng):
        found = explain(evidence, believed)
        if found is not None and _is_vouched_for(evidence, model, found):
            return found
    return None


def _spare(evidence: Evidence) -> int:
    return int(evidence.finite.sum()) - evidence.code.recovery_threshold


def _is_vouched_for(evidence: Evidence, model: Model, found: Explanation) -> bool:
    """The model excludes every other explanation.

    Adversarial: two explanations of at most half the spare answers would be two codewords too near to one another.
    Random: answers that agree are all right but for chance, however the errors of the others depend on one another.
    """
    if found.unseen > UNSEEN:
        return False
    if model == "adversarial":
        return found.count <= _spare(evidence) // 2
    return found.rank == found.count or _is_unique(evidence, found) or _chance(evidence, found, within=True) < _CHANCE


def _is_unique(evidence: Evidence, found: Explanation) -> bool:
    """No other set of so few wrong answers explains the syndromes: |T| < (spark - 1 + rank) / 2."""
    return found.count <= (_spare(evidence) + found.rank - 1) // 2


def _verdict(evidence: Evidence, model: Model, found: Explanation | None) -> Located:
    tasks, broken = evidence.tasks, tuple(evidence.tasks[~evidence.finite].tolist())
    spare, count = _spare(evidence), len(tasks)
    if found is None:
        return Located(broken, False, False, _failure(evidence, model), 1.0, float("inf"))
    wrong = tuple(tasks[~found.believed].tolist())
    chance = _chance(evidence, found)
    told = (
        f"{_named(wrong)}: the other {count - len(wrong)} of {count} agree" if wrong else f"all {count} answers agree"
    )
    agreement = f"; probability of a false agreement {in_words(chance)}, errors below {found.unseen:.0e} may be unseen"
    if model == "adversarial":
        promise = f"up to {spare // 2} wrong answers are found whatever they say"
        return Located(wrong, True, True, f"{told}; {promise}{agreement}", chance, found.unseen)
    if found.rank == found.count:
        promise = f"; their errors are independent (rank {found.rank})" if found.count else ""
        return Located(wrong, True, True, told + promise + agreement, chance, found.unseen)
    doubt = (
        f"; their errors depend on one another (rank {found.rank}), so this is the smallest explanation, not certain"
    )
    return Located(wrong, True, False, told + doubt + agreement, chance, found.unseen)


def _named(wrong: tuple[int, ...]) -> str:
    tasks = ", ".join(map(str, wrong))
    return f"tasks {tasks} are wrong" if len(wrong) > 1 else f"task {tasks} is wrong"


def _chance(evidence: Evidence, found: Explanation, *, within: bool = False) -> float:
    """Probability of a false agreement.

    Args:
        evidence: of all answers.
        found: who agrees.
        within: count only explanations that the model leaves possible. Every explanation by fewer errors than there are
            checks contains the errors that are independent of all others, so only the entangled ones can be exchanged.
    """
    seen, answers, wrong = found.syndrome, len(evidence.tasks), found.count
    if within:
        answers, wrong = answers - wrong + found.entangled, found.entangled
    complexity = 2 if np.iscomplexobj(evidence.prints) or np.iscomplexobj(seen.checks) else 1
    least = float(np.linalg.norm(seen.checks[found.believed], axis=1).min())
    visible = least / (evidence.noise * np.sqrt(2 * seen.checks.shape[1]))
    # Another error is taken to sit in as many words as the most local one of those found, or in one row.
    loudness = abs(found.errors)
    local = (3 * loudness > loudness.max(axis=1, keepdims=True)).sum(axis=1)
    words = int(local.min(initial=seen.words.shape[1])) if found.count else evidence.prints.shape[2]
    return false_agreement(answers, wrong, complexity * words * len(seen.words), seen.limit, visible)


def _failure(evidence: Evidence, model: Model) -> str:
    finite, needed, spare = int(evidence.finite.sum()), evidence.code.recovery_threshold, _spare(evidence)
    broken = f", {len(evidence.tasks) - finite} are not finite" if finite < len(evidence.tasks) else ""
    came = f"{len(evidence.tasks)} answers came{broken}"
    if evidence.syndrome(evidence.finite).agrees:
        return f"{came}; {finite} answers of a code that needs {needed} leave some of them unchecked. Add answers"
    promised = max(0, spare // 2 if model == "adversarial" else spare - 1)
    kind = "" if model == "adversarial" else " with independent errors"
    limit = draws_needed(finite, max(spare, 1), max(0, min(spare, spare // 2)))
    cut = model == "adversarial" and evidence.code.positions is None and limit > _DRAWS[model]
    searched = f" (the search ended after {_DRAWS[model]} of {limit:.0e} draws)" if cut else ""
    return (
        f"{came}; they contradict one another and nobody can be named{searched}: of {finite} answers of a code that "
        f"needs {needed}, {promised} wrong ones{kind} can be located. Add answers"
    )
