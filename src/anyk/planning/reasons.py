"""Why the best is best, what the others lose by, and what was left out."""

from collections.abc import Sequence
from dataclasses import replace

from anyk.planning.candidate import Candidate
from anyk.planning.request import Request
from anyk.planning.words import in_seconds

_PHASES = {
    "encode": "encoding",
    "upload": "sending the blocks",
    "work": "the workers' products",
    "download": "fetching the answers",
    "delays": "late workers",
    "decode": "decoding",
    "check": "measuring the error",
    "overhead": "the engine's own time",
}

#: Below this gain the difference to the next is nothing one could measure.
_SAME = 1.02


def with_reasons(found: Sequence[Candidate], request: Request, considered: int) -> tuple[Candidate, ...]:
    """The candidates in their order, each with its reason."""
    best, *others = found
    first = replace(best, reason=_recommendation(best, others, request, considered))
    return first, *(replace(other, reason=_loss(other, best)) for other in others)


def _recommendation(best: Candidate, others: Sequence[Candidate], request: Request, considered: int) -> str:
    said = [f"{in_seconds(best.seconds)} expected, the least of {considered:,} ways"]
    if best.is_distributed:
        said.append(f"most of it goes into {_longest(best)}")
        needed = best.code.recovery_threshold
        if needed < best.code.workers:
            said.append(
                f"any {needed} of {best.code.workers} answers do" if _is_coded(best) else "each block has copies"
            )
        if request.wrong:
            said.append(f"{request.wrong} wrong among {best.answers} can be told")
    else:
        said.append("sending the work out would take longer than doing it here")
    said += [_compared(other, best) for other in _of_other_families(best, others)]
    if request.tolerance is not None and best.worst_error > request.tolerance:
        said.append(f"unlucky answers may miss the tolerance ({best.worst_error:.0e}); then one more is awaited")
    return "; ".join(said) + "."


def _is_coded(candidate: Candidate) -> bool:
    return candidate.family not in ("uncoded", "replication", "one machine")


def _of_other_families(best: Candidate, others: Sequence[Candidate]) -> list[Candidate]:
    """The best candidates that do it without this code: another code, copies, no redundancy, no distribution."""
    wanted = ("one machine", "uncoded", "replication")
    chosen = [next((each for each in others if each.family == family), None) for family in wanted]
    rival = next((each for each in others if _is_coded(each) and each.family != best.family), None)
    return [each for each in (rival, *chosen) if each is not None and each.family != best.family]


def _compared(other: Candidate, best: Candidate) -> str:
    ratio = other.seconds / best.seconds
    return f"{other.family} takes as long" if ratio < _SAME else f"{other.family} takes {ratio:.3g} times as long"


def _loss(other: Candidate, best: Candidate) -> str:
    ratio = other.seconds / best.seconds
    lost = f", {other.lost:.2%} of the products lost" if other.lost else ""
    if ratio < _SAME:
        return f"as fast as the best within {_SAME - 1:.0%}{lost}"
    return f"{ratio:.3g} times the best; most goes into {_longest(other)}{lost}"


def _longest(candidate: Candidate) -> str:
    phase = max(candidate.phases, key=lambda each: candidate.phases[each])
    return _PHASES[phase]


def left_out(
    request: Request, found: Sequence[Candidate], too_large: int, considered: int, unbuilt: int
) -> tuple[str, ...]:
    """What the ranking does not show."""
    notes = []
    if request.stragglers or request.wrong:
        notes.append("uncoded is out: none of its answers may be missing or wrong")
    if too_large:
        notes.append(f"{too_large:,} of {considered:,} codes need more memory than a worker has")
    if request.most_needed < 1:
        notes.append(
            f"no code on {request.workers} workers stands {request.stragglers} missing and {request.wrong} wrong "
            f"({request.model}) answers: {request.extra} more answers than the threshold are needed to tell them"
        )
    elif not any(each.is_distributed for each in found):
        notes.append("no code meets the limits" + ("; only this machine is left" if request.local else ""))
    if unbuilt:
        notes.append(
            f"{unbuilt} approximate codes were not built: to be sure of their tables takes seconds; "
            "see anyk.codes.approximate_*"
        )
    return tuple(notes)
