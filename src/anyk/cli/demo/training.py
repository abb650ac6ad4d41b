"""The last act of the demo: a small network trained on nodes that err in every step, coded and uncoded."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from anyk.cli.train import needs_torch
from anyk.errors import InputError

if TYPE_CHECKING:
    from anyk.nn.runs import Run

#: A node errs with this probability in each step of each layer.
RATE = 0.03
#: The coded run must come as near to the accuracy without errors as this.
NEAR = 0.01


@dataclass(frozen=True)
class Trainings:
    """Three runs that differ in one or two arguments.

    Args:
        reference: without errors.
        coded: with errors, coded.
        uncoded: with errors, uncoded.
    """

    reference: "Run"
    coded: "Run"
    uncoded: "Run"

    @property
    def is_right(self) -> bool:
        """Coded, errors make no difference."""
        return abs(self.coded.accuracy - self.reference.accuracy) <= NEAR

    def as_dict(self) -> dict[str, Mapping[str, Any]]:
        """What a script would ask of each run."""
        return {name: getattr(self, name).summary() for name in ("reference", "coded", "uncoded")}


def play(console: Console, steps: int, seed: int) -> Trainings | None:
    """Train three times before this console; None: torch is not installed, which is said.

    Args:
        console: where it is told.
        steps: updates of each run.
        seed: of weights, samples and errors.
    """
    console.print(Text("\nAnd a network, trained on nodes that err in every step\n", style="bold"))
    try:
        with needs_torch():
            import sklearn  # noqa: F401

            from anyk.nn.runs import Configuration
            from anyk.nn.training import train
    except InputError as problem:
        console.print(Text(f"Left out: {problem}"))
        return None
    console.print(
        f"Handwritten digits, {steps} updates of a perceptron. In each step of each layer (encode, multiply, decode, "
        f"activate, update, …) {RATE:.0%} of the nodes come to a wrong result. Nobody is told; no node is trusted.\n"
    )
    reference = Configuration(data="digits", strategy="uncoded", steps=steps, seed=seed)
    runs = {}
    for name, asked in (
        ("reference", reference),
        ("coded", replace(reference, strategy="gpd", nodes=12, error_rate=RATE)),
        ("uncoded", replace(reference, error_rate=RATE)),
    ):
        run = runs[name] = train(asked).run
        console.print(_line(name, run))
    return Trainings(**runs)


def _line(name: str, run: "Run") -> Text:
    words = {"reference": "no errors", "coded": "coded", "uncoded": "uncoded"}
    line = Text(f"  {words[name]:10}").append(f" accuracy {100 * run.accuracy:.1f} %", style="bold")
    line.append(f"  {run.code['nodes']} nodes, {run.seconds:.1f} s")
    if run.errors_injected:
        line.append(f", {run.errors_injected:,} errors")
    if name == "coded":
        line.append(
            f": {run.errors_located:,} wrong answers thrown out, {run.blocks_regenerated:,} stored blocks rebuilt"
        )
    return line
