"""Codes as readable text files: JSON whose numbers keep every bit."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from anyk.errors import InputError
from anyk.partition import Partition

if TYPE_CHECKING:
    from anyk.code.value import Code

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


def fields_of(code: "Code") -> dict[str, Any]:
    """A code's fields, ready for JSON."""
    cut = code.partition
    return {
        "name": code.name,
        "partition": {"rows": cut.rows, "inner": cut.inner, "cols": cut.cols},
        "workers": code.workers,
        "recovery_threshold": code.recovery_threshold,
        "exact_threshold": code.exact_threshold,
        "design_error": code.design_error,
        "reference": code.reference,
        "positions": None if code.positions is None else code.positions.tolist(),
        "left": listed(code.left),
        "right": listed(code.right),
    }


def arguments(text: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments to make the code of, from what `fields_of` wrote.

    Raises:
        KeyError, TypeError, ValueError: something is missing or of the wrong kind.
    """
    return {
        **{name: text[name] for name in ("name", "recovery_threshold", "exact_threshold", "design_error", "reference")},
        "partition": Partition(**text["partition"]),
        "left": unlisted(text["left"]),
        "right": unlisted(text["right"]),
        "positions": None if text["positions"] is None else np.array(text["positions"], dtype=np.intp),
    }


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
