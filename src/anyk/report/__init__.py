"""Runs, kept as JSON and shown: as one self-contained HTML page, as a picture, as a trace; nothing is fetched.

What a file says it is (``"kind"``) chooses its page; a row of `PAGES` and a file are all it takes to add another one.
`save_run` writes the file of a product, `anyk.nn.runs.Run` that of a training run.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from anyk.errors import InputError
from anyk.report import picture, product, training
from anyk.report.record import KIND, Record
from anyk.report.recording import predictions, recorded, recorded_failure, save_run, write_record
from anyk.report.trace import trace

T = TypeVar("T")

__all__ = [
    "PAGES",
    "VIEWS",
    "Record",
    "page",
    "predictions",
    "read",
    "recorded",
    "recorded_failure",
    "save_run",
    "view",
    "write_record",
]

#: Kind of a run -> (what it wrote) -> its page.
PAGES: Mapping[str, Callable[[Mapping[str, Any]], str]] = {"training": training.page, "product": product.page}

#: Other ways to look at a product's run: name -> (what it wrote) -> the file.
VIEWS: Mapping[str, Callable[[Mapping[str, Any]], bytes]] = {
    "svg": lambda written: picture.svg(written).encode(),
    "png": picture.png,
    "trace": lambda written: json.dumps(trace(written), allow_nan=False).encode(),
}


def read(path: str | Path) -> Mapping[str, Any]:
    """What a run wrote.

    Args:
        path: of the JSON file.

    Raises:
        InputError: a file that cannot be read, or that no run wrote.
    """
    try:
        written = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as problem:
        raise InputError(f"`{path}` cannot be read as JSON: {problem}.") from problem
    if not isinstance(written, dict) or not isinstance(written.get("kind"), str):
        raise InputError(
            f"`{path}` is not what a run wrote: it has no `kind`. `anyk matmul --record FILE` and "
            "`anyk train --output DIR` write one."
        )
    return written


def page(written: Mapping[str, Any]) -> str:
    """The page of a run, as HTML.

    Args:
        written: what the run wrote; ``"kind"`` says what it is.

    Raises:
        InputError: an unknown kind, or something missing.
    """
    kind = written["kind"]
    if kind not in PAGES:
        raise InputError(f"there is no page for a run of kind {kind!r}. There are pages for {', '.join(PAGES)}.")
    return _shown(PAGES[kind], written)


def view(written: Mapping[str, Any], name: str) -> bytes:
    """A picture or a trace of a product's run, as a file holds it.

    Args:
        written: what the run wrote.
        name: one of `VIEWS`.

    Raises:
        InputError: not the run of a product, something missing, or matplotlib for a PNG.
    """
    if written["kind"] != KIND:
        raise InputError(
            f"there is no {name} of a run of kind {written['kind']!r}, only of a product's. Make its page, with -o."
        )
    return _shown(VIEWS[name], written)


def _shown(shows: Callable[[Mapping[str, Any]], T], written: Mapping[str, Any]) -> T:
    try:
        return shows(written)
    except InputError:
        raise
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, ArithmeticError) as problem:
        raise InputError(
            f"this run of kind {written['kind']!r} cannot be shown: {type(problem).__name__} {problem}. Was it written "
            "by another version, or changed by hand?"
        ) from problem
