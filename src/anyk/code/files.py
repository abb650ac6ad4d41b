"""Codes as readable text files: JSON whose numbers keep every bit."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anyk.errors import InputError

FORMAT = 1


def write(path: str | Path, text: Mapping[str, Any]) -> None:
    """Write a code's fields; an existing file is replaced whole or not at all.

    Args:
        path: of the file.
        text: the fields, ready for JSON.
    """
    target = Path(path)
    beside = target.with_name(target.name + ".part")
    try:
        beside.write_text(json.dumps({"anyk_code": FORMAT, **text}, indent=1) + "\n", encoding="utf-8")
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)


def read(path: str | Path) -> dict[str, Any]:
    """The fields of a code's file.

    Raises:
        OSError, ValueError: unreadable, or no JSON.
        KeyError, TypeError: not a code's file.
        InputError: of another format.
    """
    text: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
    if text["anyk_code"] != FORMAT:
        raise InputError(f"the file has format {text['anyk_code']!r}; this version reads {FORMAT}.")
    return text


def listed(table: NDArray[Any]) -> Any:
    """A table as nested lists, complex ones in two parts."""
    return {"real": table.real.tolist(), "imag": table.imag.tolist()} if np.iscomplexobj(table) else table.tolist()


def unlisted(text: Any) -> NDArray[Any]:
    """What `listed` wrote, as an array."""
    if not isinstance(text, dict):
        return np.array(text, dtype=np.float64)
    real, imag = (np.array(text[part], dtype=np.float64) for part in ("real", "imag"))
    # Part by part: an addition would lose the sign of zeros.
    table = np.empty(np.broadcast_shapes(real.shape, imag.shape), np.complex128)
    table.real, table.imag = real, imag
    return table
