"""Options that describe a code, made from the catalogue's own signatures: a new family brings its options with it."""

import inspect
import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

import click
import numpy as np
from click.shell_completion import CompletionItem

from anyk import codes
from anyk.code import Code
from anyk.errors import InputError

F = TypeVar("F", bound=Callable[..., Any])

#: Parameters with a meaning of their own: randomness comes from --seed, and the precision from the operands.
SEED, DTYPE = "rng", "dtype"
#: What an option can hold; parameters of other types are left to Python.
_KINDS = (int, float, str)


class CodeName(click.ParamType[str]):
    """A family of the catalogue, a found code of the archive, or a file written by ``Code.save``."""

    name = "family"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Families as they are, also with hyphens; names in the archive; files that exist."""
        name = value.replace("-", "_")
        if name in codes.CATALOGUE:
            return name
        if value in codes.archive() or Path(value).is_file():
            return value
        self.fail(f"there is no code {value!r}, nor such a file. Families: {', '.join(codes.CATALOGUE)}.", param, ctx)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The families and the found codes."""
        known = {name: family.description for name, family in codes.CATALOGUE.items()}
        known |= dict.fromkeys(codes.archive(), "found by search")
        return [CompletionItem(name, help=told) for name, told in known.items() if name.startswith(incomplete)]


def code_options(command: F) -> F:
    """Decorate a command with one option for every parameter of any family."""
    for name, (kind, families) in reversed(list(parameters().items())):
        told = f"{_described(name, families)}. [{_some(families)}]"
        command = click.option(flag(name), name, type=kind, help=told)(command)
    return command


@cache
def parameters() -> Mapping[str, tuple[Any, tuple[str, ...]]]:
    """Parameter -> its type and the families that have it, in the catalogue's order; workers first."""
    found: dict[str, tuple[Any, tuple[str, ...]]] = {}
    for name, family in codes.CATALOGUE.items():
        hints = get_type_hints(family.function)
        for parameter in family.parameters:
            kinds = [kind for kind in (hints[parameter], *get_args(hints[parameter])) if kind in _KINDS]
            if kinds and parameter not in (SEED, DTYPE):
                kind, families = found.get(parameter, (kinds[0], ()))
                found[parameter] = kind, (*families, name)
    return dict(sorted(found.items(), key=lambda item: item[0] != "workers"))


def take(options: dict[str, Any]) -> dict[str, Any]:
    """Move what was given for the code out of a command's options."""
    asked = {name: options.pop(name) for name in parameters()}
    return {name: value for name, value in asked.items() if value is not None}


def build(name: str, given: Mapping[str, Any], *, seed: int, dtype: Any) -> Code:
    """The code a user described.

    Args:
        name: of a family, or a file.
        given: parameters by name, only those given.
        seed: for families that draw their tables.
        dtype: the workers' precision, for families that must hold an error in it.

    Raises:
        InputError: a parameter that is missing, or that this family does not have.
        CodeError: a code that cannot exist.
    """
    if name not in codes.CATALOGUE:
        if given:
            raise InputError(f"`{name}` is a code with all its parameters; leave out {_flags(given)}.")
        return codes.load(name)
    wanted = codes.CATALOGUE[name].parameters
    strange = [each for each in given if each not in wanted]
    if strange:
        takes = _flags(each for each in wanted if each in parameters())
        raise InputError(f"`{name}` has no parameter {_flags(strange)}; it takes {takes}.")
    missing = [each for each in required(name) if each not in given]
    if missing:
        raise InputError(f"`{name}` needs {_flags(missing)}. For example: {example(name)}")
    automatic = {SEED: np.random.default_rng(seed), DTYPE: dtype}
    return codes.CATALOGUE[name].function(**given, **{key: automatic[key] for key in automatic if key in wanted})


def required(name: str) -> list[str]:
    """Parameters of a family without a default, except those filled in by themselves."""
    wanted = codes.CATALOGUE[name].parameters.values()
    return [each.name for each in wanted if each.default is inspect.Parameter.empty and each.name in parameters()]


def example(name: str) -> str:
    """A family with its example's parameters, as one would type them."""
    given = codes.CATALOGUE[name].example
    return " ".join([name, *(f"{flag(key)} {value}" for key, value in given.items() if key in parameters())])


def flag(name: str) -> str:
    """A parameter as an option."""
    return "--" + name.replace("_", "-")


def _flags(names: Any) -> str:
    return ", ".join(flag(name) for name in names)


def _some(families: tuple[str, ...]) -> str:
    return ", ".join(families) if len(families) <= 3 else f"{len(families)} families"


def _described(name: str, families: tuple[str, ...]) -> str:
    """The first clause of what the family's docstring says of the parameter."""
    doc = inspect.getdoc(codes.CATALOGUE[families[0]].function) or ""
    found = re.search(rf"^ +{name}: (.+?)(?:;|\.|, or|\n\s*\w+:|\n\n)", doc, re.MULTILINE | re.DOTALL)
    text = re.sub(r"[`\"]", "", " ".join(found[1].split())) if found else name
    return text if found and found[1].startswith("`") else text[0].upper() + text[1:]
