"""What a user means by delays: a model, the name of a preset, or a file to replay."""

from pathlib import Path

from anyk.errors import InputError
from anyk.faults import PRESETS, FaultModel, Trace, preset
from anyk.planning.request import DelayUnit


def delays_of(given: FaultModel | str | None) -> tuple[FaultModel | None, DelayUnit]:
    """The model, and in which unit its numbers are to be read.

    Args:
        given: a model; the name of a preset of `anyk.faults`, perhaps with values; or a CSV file of seconds.

    Returns:
        The model, and ``"tasks"`` for presets, whose numbers are multiples of a task's time; else ``"seconds"``.

    Raises:
        InputError: no such preset or file.

    >>> delays_of("dolly")
    (Bimodal(probability=0.05, factor=8.0, unit_seconds=1.0), 'tasks')
    """
    if not isinstance(given, str):
        return given, "seconds"
    head = given.partition(":")[0]
    if head in PRESETS:
        return preset(given), "seconds" if head == "trace" else "tasks"
    if not Path(given).is_file():
        raise InputError(
            f"`plan(delays={given!r})` is neither a preset nor a file. Give a CSV file of delays, or one of: "
            f"{', '.join(PRESETS)}."
        )
    return Trace(given), "seconds"
