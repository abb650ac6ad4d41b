"""``anyk demo``: the same product coded and uncoded, on real processes that are killed, stopped, slow and wrong."""

import json
import time
from contextlib import AbstractContextManager, closing
from dataclasses import asdict

import click
import numpy as np
from rich.console import Console

import anyk
from anyk import engines
from anyk.cli.board import Board
from anyk.cli.commands import Examples
from anyk.cli.demo import training, words
from anyk.cli.demo.acts import CORRUPTED, STOPPED, Act, Result, Setting, Theatre, View, acts, play
from anyk.cli.demo.stage import Blows, Weather
from anyk.cli.demo.view import Stage, in_lines, on_terminal
from anyk.cli.streams import err, out
from anyk.engines.drive import Watch

#: The coded product must be as good as this, and as near to NumPy's.
RIGHT = 1e-10
#: Of the network at the end.
UPDATES, FAST_UPDATES = 120, 30

_EXAMPLES = (
    "anyk demo",
    "anyk demo --workers 16 --size 1000",
    "anyk demo --fast --json",
)


@click.command(cls=Examples, short_help="See it: workers killed, stopped, slow and wrong.", examples=_EXAMPLES)
@click.option("--size", type=click.IntRange(8), help="Rows and columns of A and B.  [default: 1200]")
@click.option("--workers", type=click.IntRange(7, 64), default=10, show_default=True, help="Worker processes.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of matrices and delays.")
@click.option("--fast", is_flag=True, help="Small matrices and short tasks: some seconds in all.")
@click.option("--json", "is_json", is_flag=True, help="Exactly one JSON object on stdout.")
def demo(size: int | None, workers: int, seed: int, fast: bool, is_json: bool) -> None:
    """Show any k of P on real processes: a product that waits for nobody.

    Four products, on the same workers: coded; coded, while one worker is killed (SIGKILL), one stopped (SIGSTOP) and
    one slow; coded, while one worker's answer has one wrong bit; and uncoded. Tasks are stretched to 1.5 s, so that you
    can watch. Then a small network, trained on nodes that err in every step (where PyTorch is installed). The exit
    status is 0 only if the coded products are right, the wrong worker is named, and coded training is not disturbed.
    """
    if fast:
        setting = Setting(size or 400, workers, task_seconds=0.3, patience_seconds=1.5, seed=seed)
    else:
        setting = Setting(size or 1200, workers, task_seconds=1.5, patience_seconds=8.0, seed=seed)
    console = err() if is_json else out()
    is_silent = is_json and not console.is_terminal
    audience = Console(quiet=True) if is_silent else console
    results, pids = _played(setting, audience)
    trainings = training.play(audience, FAST_UPDATES if fast else UPDATES, seed)
    is_right = all(_is_right(result) for result in results if result.act.code.name != "uncoded")
    is_right = is_right and (trainings is None or trainings.is_right)
    if is_json:
        told = {"training": trainings.as_dict() if trainings else None}
        click.echo(json.dumps(_as_json(setting, results, pids, is_right) | told, indent=2))
    if not is_right:
        raise anyk.PrecisionError(
            f"a coded product is not within {RIGHT:g} of NumPy's, the wrong worker not named, or training disturbed."
        )


def _played(setting: Setting, console: Console) -> tuple[list[Result], list[int]]:
    """All acts before this console, and which processes took part."""
    rng = np.random.default_rng(setting.seed)
    A, B = rng.standard_normal((2, setting.size, setting.size))
    began = time.perf_counter()
    expected = A @ B
    numpy_seconds = time.perf_counter() - began
    weather = Weather()
    console.print(words.opening(setting))
    results: list[Result] = []
    with closing(engines.open(f"processes:{setting.workers}", faults=weather, seed=setting.seed)) as engine:
        theatre = Theatre(A, B, expected, engine, weather, setting)
        pids = {lane.pid for lane in engine.lanes if lane.pid}
        for number, act in enumerate(acts(setting), start=1):
            console.print(words.title(number, act))
            results.append(play(act, theatre, _view(console, theatre)))
            console.print(words.outcome(results[-1]))
            if act.is_troubled and act.code.name != "uncoded":
                engine.respawn(STOPPED)
            pids |= {lane.pid for lane in engine.lanes if lane.pid}
    console.print(words.closing(results, numpy_seconds))
    return results, sorted(pids)


def _view(console: Console, theatre: Theatre) -> View:
    """One line per worker on a terminal, one line per event elsewhere."""
    setting = theatre.setting

    def view(act: Act, board: Board, blows: Blows) -> AbstractContextManager[Watch]:
        if not console.is_terminal:
            return in_lines(console, act, board, blows)
        horizon = act.patience_seconds or 2.0 * setting.task_seconds
        return on_terminal(console, Stage(act, board, blows, theatre.weather, setting.workers, horizon))

    return view


def _is_right(result: Result) -> bool:
    error, difference = result.error, result.difference
    named = result.wrong == ((CORRUPTED,) if result.act.wrong else ())
    return named and error is not None and difference is not None and max(error, difference) < RIGHT


def _as_json(setting: Setting, results: list[Result], pids: list[int], is_right: bool) -> dict[str, object]:
    return {
        "right": is_right,
        "setting": asdict(setting),
        "acts": [
            {
                "name": result.act.name,
                "code": result.act.code.name,
                "workers": result.act.code.workers,
                "recovery_threshold": result.act.code.recovery_threshold,
                "seconds": result.seconds,
                "survivors": result.survivors,
                "wrong": result.wrong,
                "answers": result.answers,
                "troubles": result.troubles,
                "error": result.error,
                "difference_from_numpy": result.difference,
                "reason": result.reason,
            }
            for result in results
        ],
        "processes": pids,
    }
