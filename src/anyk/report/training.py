"""The page of a training run: what came of it, its curves, where and when nodes were wrong."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from anyk.report import html
from anyk.report.curves import curve
from anyk.report.error_map import error_map, legend
from anyk.report.live import live

#: Names in a run -> what they count.
_COUNTS = (
    ("errors_injected", "errors injected"),
    ("errors_located", "answers thrown out"),
    ("blocks_regenerated", "stored blocks rebuilt"),
    ("copies_refreshed", "copies replaced"),
    ("products_repeated", "products repeated"),
    ("nodes_evicted", "nodes given up"),
)


def page(run: Mapping[str, Any]) -> str:
    """The page of one run.

    Args:
        run: what `anyk.nn.runs.Run` writes.
    """
    title = f"{run['configuration']['data']} on {run['code']['nodes']} unreliable nodes"
    style = "".join(map(html.resource, ("chart.css", "page.css", "training.css")))
    parts = [html.heading(title, _sentence(run)), *_parts(run)]
    return html.document(title, parts, style=style, script=html.resource("page.js"))


def _sentence(run: Mapping[str, Any]) -> str:
    code, asked = run["code"], run["configuration"]
    layers = " – ".join(map(str, run["layers"]))
    rate = f"wrong numbers with probability {asked['error_rate']:g} per node, layer and step"
    began = f"A perceptron {layers}, coded as {code['name']} on a grid of {code['rows']} x {code['inner']}; {rate}."
    return began if run["finished"] else f"{began} Given up: {run['reason']}"


def _parts(run: Mapping[str, Any]) -> Iterator[str]:
    steps = run["configuration"]["steps"]
    yield html.numbers(
        [
            (_share(run["accuracy"]), "accuracy, weights verified"),
            (f"{run['steps']:,}", "updates"),
            (f"{run['executed']:,}", "updates executed"),
            (f"{run['rollbacks']:,}", "roll-backs"),
            (f"{run['errors_injected']:,}", "errors injected"),
        ]
    )
    losses = [(step, float("nan") if loss is None else loss) for step, loss in enumerate(run["losses"], start=1)]
    caption = "Loss of each update; with many updates their mean, within the band of the least and the largest."
    yield html.section("Loss", live(curve(losses, steps, "loss"), "", caption))
    accuracies = dict([*run["accuracies"], (run["steps"], run["accuracy"])])
    picture = curve([*accuracies.items()], steps, "accuracy", unit=True)
    measured = html.wide(html.table(("after update", "accuracy"), _measured(accuracies)))
    details = f"<details><summary>{len(accuracies):,} measurements</summary>{measured}</details>"
    yield html.section("Accuracy", live(picture, "", "On the test samples, weights verified first."), details)
    yield from _maps(run["error_map"], run["executed"])
    yield html.section("Counted", f'<div class="side">{html.counts(_counted(run))}{html.counts(_struck(run))}</div>')
    yield html.section("Set-up", html.facts(_facts(run)))


def _maps(found: Mapping[str, Any], executed: int) -> Iterator[str]:
    """Where and when: one map each for what was injected and what was found."""
    width = int(found["steps_per_column"])
    a_cell = "one update" if width == 1 else f"{width} updates"
    for name, title, told in (
        ("injected", "Errors injected", "Wrong numbers put into a node's copies"),
        ("located", "Errors found", "Answers thrown out because they were wrong"),
    ):
        counts: Sequence[Sequence[int]] = found[name]
        most = max((max(row, default=0) for row in counts), default=0)
        caption = f"{told}: a row is a node, a column {a_cell} executed, the number at the end a node's total."
        if most:
            picture = error_map(counts, executed, width, title.lower())
            yield html.section(title, live(picture, legend(most), caption, "map"))
        else:
            yield html.section(title, "<p>None.</p>")


def _measured(accuracies: Mapping[int, float]) -> Iterator[tuple[str, str]]:
    for step, accuracy in accuracies.items():
        yield f"{step:,}", _share(accuracy)


def _counted(run: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    for name, told in _COUNTS:
        yield told, int(run[name])


def _struck(run: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """Where errors were put in."""
    for step, count in run["errors_by_step"].items():
        yield f"in {step}", int(count)


def _facts(run: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    code, asked = run["code"], run["configuration"]
    tolerance = ", ".join(f"{stage} {count}" for stage, count in code["tolerance"].items())
    yield "nodes", f"{code['nodes']}, each with 1/{code['rows'] * code['inner']} of every weight matrix"
    yield "answers needed", f"{code['forward_threshold']} forward, {code['backward_threshold']} backward"
    yield "wrong nodes corrected", f"{tolerance}, whoever they are"
    yield "seconds", f"{run['seconds']:.1f}"
    for name, value in asked.items():
        yield name.replace("_", " "), ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _share(accuracy: float) -> str:
    return f"{100 * accuracy:.2f} %"
