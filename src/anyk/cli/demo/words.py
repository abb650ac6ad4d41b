"""What the demo says: before, between and after its acts."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from anyk.cli.demo.acts import Act, Result, Setting


def opening(setting: Setting) -> RenderableType:
    """What is going to be seen."""
    code = setting.coded
    needed, blocks = code.recovery_threshold, code.partition.inner
    return Group(
        Text(f"Any {needed} of {setting.workers}", style="bold"),
        Text(
            f"A times B, both {setting.size} x {setting.size}, on {setting.workers} worker processes. Each worker gets "
            f"one coded block of A and of B, 1/{blocks} of their size, and multiplies them. Any {needed} of the "
            f"{setting.workers} answers give the product. Tasks are stretched to about {setting.task_seconds:g} s, so "
            "that you can watch."
        ),
    )


def title(number: int, act: Act) -> RenderableType:
    """The heading of an act."""
    return Text(f"\n{number}. {act.title}\n", style="bold")


def outcome(result: Result) -> RenderableType:
    """How an act ended."""
    needed = result.act.code.recovery_threshold
    if result.error is None:
        return Text("\n → no product: ", style="red").append(
            f"given up after {result.seconds:.1f} s; {result.answers} answers came and {needed} were needed.",
            style="default",
        )
    used = len(result.survivors)
    answers = f"{used} answers" + (f" (any {needed} do; these {used} happen to)" if used < needed else "")
    return Text("\n → the product ", style="green").append(
        f"in {result.seconds:.1f} s, encoding and decoding included, from {answers}; measured error "
        f"{result.error:.0e}. {thrown_out(result)}{unawaited(result)}",
        style="default",
    )


def thrown_out(result: Result) -> str:
    """Whose answers were found wrong."""
    return "".join(f"Worker {task} answered wrongly: thrown out. " for task in result.wrong)


def unawaited(result: Result) -> str:
    """Whose answers were not used, and what was the matter with them."""
    unused = [task for task in range(result.act.code.workers) if task not in (*result.survivors, *result.wrong)]
    named = [f"{task} ({result.troubles[task]})" if task in result.troubles else str(task) for task in unused]
    return f"Not waited for: workers {', '.join(named)}." if named else ""


def closing(results: list[Result], numpy_seconds: float) -> RenderableType:
    """The table, and what to make of it."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for column in ("", "time", "answers", "in trouble", "error", "off NumPy's"):
        table.add_column(column, no_wrap=True)
    for result in results:
        table.add_row(*_row(result))
    coded, corrupted = results[1], results[2]
    return Group(
        Text("\nIn short\n", style="bold"),
        table,
        Text(
            f"\nThree workers were in trouble, and the coded product came after {coded.seconds:.1f} s all the same. "
            f"One wrong bit was enough to name worker {', '.join(map(str, corrupted.wrong)) or 'nobody'}. The price: a "
            f"coded task is {_price(results):.2g} times as large as an uncoded one. The delays are injected: NumPy "
            f"alone needs {numpy_seconds:.2g} s here. Where one machine that does not fail is enough, use it."
        ),
    )


def _row(result: Result) -> tuple[str, ...]:
    workers = result.act.code.workers
    troubles = ", ".join(map(str, result.troubles)) or "nobody"
    if result.error is None:
        return (
            result.act.name,
            f"> {result.seconds:.1f} s",
            f"{result.answers} of {workers}",
            troubles,
            "no product",
            "",
        )
    used = f"{len(result.survivors)} of {workers}"
    numbers = f"{result.error:.0e}", f"{result.difference:.0e}"
    return result.act.name, f"{result.seconds:.1f} s", used, troubles, *numbers


def _price(results: list[Result]) -> float:
    coded, uncoded = results[0].act.code, results[-1].act.code
    return uncoded.partition.products / coded.partition.products
