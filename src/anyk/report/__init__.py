"""Pages: one self-contained HTML file, pictures inside, for a run that was written as JSON; nothing is fetched.

What a file says it is (``"kind"``) chooses its page; a row of `PAGES` and a file are all it takes to add another one.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from anyk.errors import InputError
from anyk.report import training

__all__ = ["PAGES", "page", "read"]

#: Kind of a run -> (what it wrote) -> its page.
PAGES: Mapping[str, Callable[[Mapping[str, Any]], str]] = {"training": training.page}


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
        raise InputError(f"`{path}` is not what a run wrote: it has no `kind`. `anyk train --output DIR` writes one.")
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
    try:
        return PAGES[kind](written)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, ArithmeticError) as problem:
        raise InputError(
            f"this run of kind {kind!r} cannot be shown: {type(problem).__name__} {problem}. Was it written by another "
            "version, or changed by hand?"
        ) from problem
