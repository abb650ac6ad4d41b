"""What can be asked of a training run on the command line, and the same as words for another process."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

if TYPE_CHECKING:
    from anyk.nn.runs import Configuration


class Sizes(click.ParamType[tuple[int, ...]]):
    """Positive integers with something between them.

    Args:
        between: what.
        count: how many; 0: any.
    """

    name = "sizes"

    def __init__(self, between: str, count: int = 0) -> None:
        self.between, self._count = between, count

    def convert(
        self, value: str | tuple[int, ...], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """Digits alone, each at least 1."""
        if isinstance(value, tuple):
            return value
        parts = [part.strip() for part in value.lower().split(self.between)]
        right = all(part.isdecimal() and int(part) > 0 for part in parts) and len(parts) == (self._count or len(parts))
        if not right:
            shown = self.between.join(["2"] * self._count or ["128", "64"])
            self.fail(f"{value!r} should look like {shown}: integers of at least 1.", param, ctx)
        return tuple(map(int, parts))


class Interval(click.ParamType[int | str]):
    """A number of updates, or ``auto``."""

    name = "interval"

    def convert(self, value: int | str, param: click.Parameter | None, ctx: click.Context | None) -> int | str:
        """Digits are updates."""
        if str(value).isdecimal() and int(value) > 0:
            return int(value)
        if value != "auto":
            self.fail(f"{value!r} is neither a number of updates, at least 1, nor 'auto'.", param, ctx)
        return value


def settled(context: click.Context, resume: str | None, asked: dict[str, Any]) -> "Configuration":
    """What is to be trained: as asked for here, and where nothing was, as it was begun.

    Args:
        context: of the command, which knows what was asked for.
        resume: where a run was begun, perhaps.
        asked: every setting.
    """
    from anyk.nn.resuming import asked_before
    from anyk.nn.runs import Configuration

    before = None if resume is None else asked_before(resume)
    if before is None:
        return Configuration(**asked)
    given = {name for name in asked if context.get_parameter_source(name) is not ParameterSource.DEFAULT}
    if "epochs" in given:
        before = replace(before, steps=None)
    return replace(before, **{name: value for name, value in asked.items() if name in given})


def words(configuration: "Configuration", command: click.Command) -> list[str]:
    """Options that ask for it.

    Args:
        configuration: what is to be trained.
        command: whose options.
    """
    told = []
    for option in command.params:
        value = getattr(configuration, option.name or "", None)
        if value is not None:
            between = option.type.between if isinstance(option.type, Sizes) else ""
            told += [option.opts[0], between.join(map(str, value)) if between else str(value)]
    return told
