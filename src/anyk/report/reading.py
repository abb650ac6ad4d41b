"""A record from what a file holds, with everything in it checked: nothing unchecked is ever drawn."""

import math
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, TypeVar

from anyk.report.record import MOMENTS, OUTCOMES, PLANNED, VERSION, Coded, Decoding, Moment, Record
from anyk.verbs import Stretch

T = TypeVar("T")
#: Reads a value found at a place; raises ValueError with the place.
Rule = Callable[[Any, str], Any]

#: More workers than this nobody asks.
_MOST_WORKERS = 10**7


def parsed(written: Mapping[str, Any]) -> Record:
    """The record of a product's run.

    Args:
        written: as JSON gives it.

    Raises:
        ValueError: something is missing, or is not what it must be, and where.
    """
    version = written.get("version")
    if type(version) is not int or not 1 <= version <= VERSION:
        raise ValueError(f"it has version {version!r}, and this anyk reads {VERSION}")
    return _made(Record, written, "the run")


# --- rules ------------------------------------------------------------------------------------------------------------


def _count(value: Any, place: str) -> int:
    if type(value) is not int or not 0 <= value <= _MOST_WORKERS:
        raise ValueError(f"{place} is no count, but {_short(value)}")
    return value


def _size(value: Any, place: str) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"{place} is no number of bytes or entries, but {_short(value)}")
    return value


def _number(value: Any, place: str) -> float:
    if type(value) not in (int, float) or not math.isfinite(value):
        raise ValueError(f"{place} is no finite number, but {_short(value)}")
    return float(value)


def _time(value: Any, place: str) -> float:
    """Seconds; a rounding below zero is forgiven."""
    seconds = _number(value, place)
    if seconds < -1e-6:
        raise ValueError(f"{place} lies {-seconds:.3g} s before the job began")
    return max(0.0, seconds)


def _positive(value: Any, place: str) -> float:
    number = _number(value, place)
    if number < 0:
        raise ValueError(f"{place} is negative: {number:.3g}")
    return number


def _text(value: Any, place: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{place} is no text, but {_short(value)}")
    return value


def _truth(value: Any, place: str) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{place} is neither true nor false, but {_short(value)}")
    return value


def _one_of(names: tuple[str, ...]) -> Rule:
    def rule(value: Any, place: str) -> str:
        if value not in names:
            raise ValueError(f"{place} is {_short(value)}, and must be one of {', '.join(names)}")
        return str(value)

    return rule


def _optional(rule: Rule) -> Rule:
    return lambda value, place: None if value is None else rule(value, place)


def _tuple(rule: Rule) -> Rule:
    def each(value: Any, place: str) -> tuple[Any, ...]:
        if not isinstance(value, list | tuple):
            raise ValueError(f"{place} is no list, but {_short(value)}")
        return tuple(rule(item, f"{place}[{at}]") for at, item in enumerate(value))

    return each


def _pair(first: Rule, second: Rule) -> Rule:
    def both(value: Any, place: str) -> tuple[Any, Any]:
        if not isinstance(value, list | tuple) or len(value) != 2:
            raise ValueError(f"{place} is no pair, but {_short(value)}")
        return first(value[0], f"{place}[0]"), second(value[1], f"{place}[1]")

    return both


def _triple(rule: Rule) -> Rule:
    def three(value: Any, place: str) -> tuple[Any, ...]:
        found: tuple[Any, ...] = _tuple(rule)(value, place)
        if len(found) != 3:
            raise ValueError(f"{place} holds {len(found)} numbers, and must hold 3")
        return found

    return three


def _named(rule: Callable[[str], Rule]) -> Rule:
    def each(value: Any, place: str) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise ValueError(f"{place} holds no names, but is {_short(value)}")
        return {str(name): rule(name)(item, f"{place}.{name}") for name, item in value.items()}

    return each


def _prediction(name: str) -> Rule:
    if name not in PLANNED:
        raise ValueError(f"planned has {_short(name)}, and knows only {', '.join(PLANNED)}")
    return _text if name == "code" else _positive


def _value(kind: type[T]) -> Rule:
    return lambda value, place: _made(kind, value, place)


def _made(kind: type[T], value: Any, place: str) -> T:
    if not isinstance(value, Mapping):
        raise ValueError(f"{place} has no fields, but is {_short(value)}")
    rules = _RULES[kind]
    missing = [each.name for each in fields(kind) if each.name not in value]  # type: ignore[arg-type]  # a dataclass
    if missing:
        raise ValueError(f"{place} has no {missing[0]!r}")
    return kind(**{name: rule(value[name], f"{name} of {place}") for name, rule in rules.items()})


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."


#: What each field must be; every field of each class has its line.
_RULES: Mapping[type, Mapping[str, Rule]] = {
    Coded: {
        "name": _text,
        **dict.fromkeys(("rows", "inner", "cols", "workers", "recovery_threshold", "exact_threshold"), _count),
        "is_complex": _truth,
    },
    Stretch: {
        **dict.fromkeys(("task", "worker", "attempt", "band"), _count),
        "sent_seconds": _time,
        "ended_seconds": _optional(_time),
        "outcome": _one_of(OUTCOMES),
        "cause": _text,
    },
    Moment: {"at": _time, "kind": _one_of(MOMENTS), "worker": _optional(_count), "words": _text},
    Decoding: {
        "began": _time,
        "ended": _time,
        "answers": _count,
        "error": _optional(_positive),
        "suspects": _optional(_tuple(_count)),
        "band": _count,
    },
    Record: {
        "finished": _truth,
        "reason": _text,
        "shape": _optional(_tuple(_size)),
        "dtype": _text,
        "operands": _optional(_pair(_tuple(_size), _tuple(_size))),
        "engine": _text,
        "code": _optional(_value(Coded)),
        **dict.fromkeys(("survivors", "wrong", "distrusted"), _tuple(_count)),
        "error": _optional(_positive),
        "error_kind": _text,
        "seconds": _named(lambda _: _positive),
        "peak_bytes": _optional(_size),
        "moved": _optional(_triple(_size)),
        "attempts": _tuple(_value(Stretch)),
        "moments": _tuple(_value(Moment)),
        "decodings": _tuple(_value(Decoding)),
        "foreseen": _tuple(_pair(_count, _positive)),
        "planned": _optional(_named(_prediction)),
    },
}
