"""The speeds of this machine, kept per user in one readable file. Never required."""

import json
import os
from contextlib import suppress
from dataclasses import asdict, fields
from pathlib import Path

from anyk.errors import InputError
from anyk.planning.costs import CostModel


def place() -> Path:
    """Where the calibration is kept: ``anyk/calibration.json`` in the user's folder for settings.

    That is ``$ANYK_CALIBRATION`` if set (a file), else ``$XDG_CONFIG_HOME`` or ``~/.config``.
    """
    if named := os.environ.get("ANYK_CALIBRATION"):
        return Path(named)
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "anyk" / "calibration.json"


def load(path: Path | None = None) -> CostModel | None:
    """The calibration of this user; None where there is none.

    Args:
        path: another file.

    Raises:
        InputError: the file is there and is no calibration.
    """
    path = path or place()
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as problem:
        raise InputError(f"`{path}` cannot be read: {problem.strerror}. {_WAY_OUT}") from problem
    try:
        numbers = json.loads(text)["costs"]
        unknown = set(numbers) - {field.name for field in fields(CostModel)}
        if unknown:
            raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
        return CostModel(**numbers)
    except (ValueError, KeyError, TypeError) as problem:
        raise InputError(f"`{path}` is no calibration: {problem!r}. {_WAY_OUT}") from problem


def store(costs: CostModel, path: Path | None = None) -> Path:
    """Keep a calibration; an old one is replaced whole or not at all.

    Args:
        costs: what was measured.
        path: another file.

    Returns:
        Where it is.

    Raises:
        InputError: it cannot be written there.
    """
    path = path or place()
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(
            json.dumps({"anyk": "calibration", "costs": asdict(costs)}, indent=2) + "\n", encoding="utf-8"
        )
        beside.replace(path)
    except OSError as problem:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        raise InputError(
            f"`{path}` was not written: {problem.strerror}. Set XDG_CONFIG_HOME to a folder of yours."
        ) from (problem)
    return path


_WAY_OUT = "Remove it, or write a new one with `anyk bench --calibrate`."
