"""Fields of a fault model are valid or the model does not exist.

Each check reads one field of a frozen dataclass, refuses what breaks the rule, and stores the plain Python value back,
so that ``repr`` of every model is text that builds it again. Limits are far beyond use; inside them no draw overflows.
"""

from collections.abc import Iterable
from numbers import Integral, Real
from typing import Any, NoReturn

from anyk.errors import InputError

#: Largest factor or number of seconds accepted (a billion seconds are 31 years).
LIMIT = 1e9


def refuse(model: object, field: str, value: object, rule: str, remedy: str) -> NoReturn:
    """Raise the one error of this package: the call, the rule, what came, the way out."""
    call = f"{type(model).__name__}({field}={value!r})"
    raise InputError(f"`{call}` is no fault model: {field} must be {rule}, and {value!r} came. {remedy}")


def number(model: object, field: str, low: float = 0.0, high: float = LIMIT, *, remedy: str) -> None:
    """The field is a real number from ``low`` to ``high``, both included; it becomes a float."""
    value = getattr(model, field)
    if not (_is_real(value) and low <= value <= high):
        refuse(model, field, value, f"a number from {low:g} to {high:g}", remedy)
    object.__setattr__(model, field, float(value))


def probability(model: object, field: str) -> None:
    """The field is a probability, 0 and 1 included; it becomes a float."""
    number(model, field, 0.0, 1.0, remedy="A probability of one in a hundred is 0.01.")


def unit(model: object) -> None:
    """The field ``unit_seconds`` is a length of time, 0 included."""
    number(model, "unit_seconds", remedy="Give the seconds one task takes on a healthy worker, for example 0.2.")


def span(model: object, field: str, low: float) -> None:
    """The field is a pair of numbers (least, most), ``low <= least <= most``; it becomes a tuple of floats."""
    value = getattr(model, field)
    pair = tuple(value) if isinstance(value, Iterable) and not isinstance(value, str) else ()
    if not (len(pair) == 2 and all(map(_is_real, pair)) and low <= pair[0] <= pair[1] <= LIMIT):
        refuse(model, field, value, f"a pair (least, most) from {low:g} to {LIMIT:g}", "For example (1.1, 1.9).")
    object.__setattr__(model, field, (float(pair[0]), float(pair[1])))


def counts(model: object, field: str) -> None:
    """The field is some whole numbers of at least 0; it becomes a tuple of ints."""
    value = getattr(model, field)
    items = tuple(value) if isinstance(value, Iterable) and not isinstance(value, str | bytes) else (None,)
    if not all(_is_count(item) for item in items):
        refuse(model, field, value, "whole numbers of at least 0", f"Write {field}=(3,) or {field}=range(10).")
    object.__setattr__(model, field, tuple(int(item) for item in items))


def whole(model: object, field: str, low: int, remedy: str) -> None:
    """The field is one whole number of at least ``low``; it becomes an int."""
    value = getattr(model, field)
    if not (_is_count(value) and value >= low):
        refuse(model, field, value, f"a whole number of at least {low}", remedy)
    object.__setattr__(model, field, int(value))


def _is_real(item: object) -> bool:
    return isinstance(item, Real) and not isinstance(item, bool)


def _is_count(item: Any) -> bool:  # Any: whatever the caller wrote is judged here
    return not isinstance(item, bool) and isinstance(item, Integral) and int(item) >= 0
