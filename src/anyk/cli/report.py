"""What is told of a finished product: for a person, and as JSON."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from anyk.code import Code
from anyk.verbs import Product, Stretch

#: Phases in the order they happen.
PHASES = ("encode", "collect", "decode", "measure")


def report(product: Product, output: str | None) -> RenderableType:
    """A few lines: what came out, who answered, who was late or lost, how exact it is, where the time went."""
    rows = [
        ("code", _named(product.code)),
        ("used", tasks(product.survivors)),
        ("not awaited", tasks(sorted(_with(product, "cancelled")))),
        ("not needed", tasks(sorted(_with(product, "answered")))),
        ("lost", _losses(product)),
        ("wrong", tasks(product.wrong)),
        ("error", error(product)),
        ("because", product.reason),
        ("time", times(product)),
    ]
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in rows:
        if text:
            table.add_row(f"  {name}", text)
    return Group(headline(product, output), table)


def headline(product: Product, output: str | None) -> Text:
    """One line: shape, dtype, from whom, when."""
    shape = " x ".join(map(str, product.value.shape)) or "a number"
    line = Text(output or "C", style="bold").append(f": {shape}, {product.value.dtype}", style="not bold")
    if product.code is not None:
        line.append(f", from {len(product.survivors)} of {product.code.workers} answers", style="not bold")
    return line.append(f" in {product.seconds['total']:.3g} s", style="not bold")


def error(product: Product) -> str:
    """The error and what kind of number it is."""
    if product.error_kind == "exact":
        return "none: integers, checked"
    words = {"measured": "measured with random probes", "expected": "expected, not measured"}
    number = "unknown" if product.error is None else f"{product.error:.1e}"
    return f"{number} relative, {words.get(product.error_kind, product.error_kind)}"


def times(product: Product) -> str:
    """Seconds by phase."""
    return ", ".join(f"{phase} {product.seconds[phase]:.3g} s" for phase in PHASES if phase in product.seconds)


def tasks(numbers: Sequence[int]) -> str:
    """Task numbers, runs of them drawn together.

    >>> tasks([0, 1, 2, 3, 7])
    'tasks 0-3, 7'
    """
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    words = [f"{run[0]}-{run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs]
    return f"task{'' if len(numbers) == 1 else 's'} {', '.join(words)}" if words else ""


def as_json(product: Product, output: str | None, warnings: Sequence[str]) -> str:
    """One object with everything a script would ask; without the entries themselves."""
    return json.dumps(
        {
            "output": output,
            "shape": product.value.shape,
            "dtype": str(product.value.dtype),
            "code": described(product.code),
            "survivors": product.survivors,
            "wrong": product.wrong,
            "distrusted": product.distrusted,
            "error": product.error,
            "error_kind": product.error_kind,
            "reason": product.reason,
            "seconds": dict(product.seconds),
            "peak_bytes": product.peak_bytes,
            "timeline": [asdict(stretch) for stretch in product.timeline()],
            "warnings": list(warnings),
        },
        indent=2,
        allow_nan=False,
    )


def described(code: Code | None) -> dict[str, Any] | None:
    """A code as JSON, without its tables."""
    if code is None:
        return None
    return {
        "name": code.name,
        "partition": {"rows": code.partition.rows, "inner": code.partition.inner, "cols": code.partition.cols},
        "workers": code.workers,
        "recovery_threshold": code.recovery_threshold,
        "exact_threshold": code.exact_threshold,
    }


def _named(code: Code | None) -> str:
    return "" if code is None else f"{code.name}, any {code.recovery_threshold} of {code.workers}"


def _with(product: Product, outcome: str) -> set[int]:
    return {stretch.task for stretch in product.timeline() if stretch.outcome == outcome}


def _losses(product: Product) -> str:
    return "; ".join(_loss(stretch, product) for stretch in product.timeline() if stretch.outcome == "lost")


def _loss(stretch: Stretch, product: Product) -> str:
    events = (step.event for step in product.events)
    causes = [
        event.cause
        for event in events
        if getattr(event, "task", None) == stretch.task
        and getattr(event, "attempt", None) == stretch.attempt
        and hasattr(event, "cause")
    ]
    return f"task {stretch.task} on worker {stretch.worker}" + (f" ({causes[0]})" if causes else "")
