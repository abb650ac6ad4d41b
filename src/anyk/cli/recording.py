"""``anyk matmul --record``: what happened goes into a file, also when there is no product."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from anyk.cli.files import ensure_place
from anyk.cli.streams import tell
from anyk.code import Code
from anyk.engines.drive import Watch
from anyk.errors import ClusterError, InputError
from anyk.job import Step
from anyk.report import predictions, recorded, recorded_failure, write_record
from anyk.verbs import Product

Shape = tuple[int, ...]


class Recording:
    """What `anyk report` will be asked to show; without a path nothing is kept.

    Args:
        path: of the file, or None.
        engine: its name.
        planned: what `anyk plan --json` wrote, a file to be shown beside what happens; or None.

    Raises:
        InputError: the file cannot be written there, or is no plan.
    """

    def __init__(self, path: str | None, engine: str, planned: str | None = None) -> None:
        if path is None and planned is not None:
            raise InputError("`--planned` goes into what `--record` writes. Add --record FILE.")
        if path is not None:
            ensure_place(path, Path(path))
        self._path, self._engine = path, engine
        self._planned = None if planned is None else _plan_in(planned)
        self._steps: list[Step] = []
        self._operands: tuple[Shape, Shape] = (), ()

    def watch(self, also: Watch) -> Watch:
        """A ``watch`` that remembers each step and shows it to another one."""

        def see(step: Step) -> None:
            self._steps.append(step)
            also(step)

        return also if self._path is None else see

    @contextmanager
    def of(self, left: Shape, right: Shape, code: Code | None) -> Iterator[None]:
        """While this product is formed: where it fails, what happened is written all the same."""
        self._operands = left, right
        try:
            yield
        except ClusterError as failure:
            if self._path is not None and self._steps:
                record = recorded_failure(
                    self._steps,
                    str(failure),
                    code,
                    operands=self._operands,
                    engine=self._engine,
                    planned=self._planned,
                )
                write_record(record, self._path)
                tell(f"{self._path}: what happened; see it with `anyk report {self._path} -o run.html`")
            raise

    def keep(self, product: Product) -> None:
        """Write what happened."""
        if self._path is not None:
            write_record(
                recorded(product, operands=self._operands, engine=self._engine, planned=self._planned), self._path
            )


def _plan_in(path: str) -> dict[str, float | str]:
    """The predictions of the candidate that a plan recommends."""
    try:
        return predictions(json.loads(Path(path).read_text(encoding="utf-8"))["best"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as problem:
        raise InputError(
            f"`--planned {path}` is not what `anyk plan --json` wrote: {type(problem).__name__} {problem}."
        ) from problem
