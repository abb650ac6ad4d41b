"""Numbers as a person says them: times, sizes, errors, lists of tasks."""

from collections.abc import Iterable

_TIMES = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))
_SIZES = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


def time_unit(longest: float) -> tuple[float, str]:
    """The unit to tell times up to this one in: (seconds, name).

    >>> time_unit(0.25)
    (0.001, 'ms')
    """
    if longest >= 600:
        return (3600.0, "h") if longest >= 36_000 else (60.0, "min")
    return next((each for each in _TIMES if longest >= each[0]), _TIMES[-1])


def time(seconds: float) -> str:
    """A time with three digits.

    >>> time(0.01234), time(0.0), time(90.0)
    ('12.3 ms', '0 s', '90 s')
    """
    if seconds == 0:
        return "0 s"
    unit, name = time_unit(seconds)
    return f"{number(seconds / unit)} {name}"


def size(count: float) -> str:
    """A number of bytes with three digits.

    >>> size(1_536_000), size(12)
    ('1.54 MB', '12 bytes')
    """
    unit, name = next((each for each in _SIZES if count >= each[0]), (1.0, "bytes"))
    return f"{number(count / unit)} {name}"


def error(value: float | None) -> str:
    """A relative error with two digits.

    >>> error(3.14e-15), error(None), error(0.0)
    ('3.1e-15', 'unknown', '0')
    """
    if value is None:
        return "unknown"
    return f"{value:.1e}" if value else "0"


def number(value: float) -> str:
    """Three digits, without an exponent as long as that is short.

    >>> number(1234.5), number(0.5), number(12.0)
    ('1,234', '0.5', '12')
    """
    if value and not 1e-3 <= abs(value) < 1e7:
        return f"{value:.3g}"
    digits = max(0, 3 - len(str(int(abs(value)))) if abs(value) >= 1 else 3)
    text = f"{value:,.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def tasks(numbers: Iterable[int], word: str = "task") -> str:
    """Task numbers, runs of them drawn together.

    >>> tasks([0, 1, 2, 3, 7]), tasks([4]), tasks([])
    ('tasks 0–3, 7', 'task 4', 'no task')
    """
    runs: list[list[int]] = []
    found = sorted(numbers)
    for each in found:
        if runs and each == runs[-1][-1] + 1:
            runs[-1].append(each)
        else:
            runs.append([each])
    words = [f"{run[0]}–{run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs]
    return f"{word}{'' if len(found) == 1 else 's'} {', '.join(words)}" if words else f"no {word}"


def counted(count: int, one: str, many: str = "") -> str:
    """A number and its noun.

    >>> counted(1, "answer"), counted(3, "answer")
    ('1 answer', '3 answers')
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"
