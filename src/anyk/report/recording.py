"""From a product to the record of its run, and into a file."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from anyk.code import Code
from anyk.errors import InputError
from anyk.job import State, Step
from anyk.job.messages import Decode, Decoded, Joined, Left, Started, Suspected
from anyk.planning import Candidate
from anyk.report.record import PLANNED, Coded, Decoding, Moment, Record
from anyk.verbs import Product, Stretch
from anyk.verbs.timeline import timeline

Shapes = tuple[tuple[int, ...], tuple[int, ...]]
#: What a plan had predicted: one of its candidates, or predictions by name (see `anyk.report.record.PLANNED`).
Planned = Candidate | Mapping[str, float | str] | None

#: Expected errors are foreseen for so many numbers of answers: the most that take no more multiplications (a second).
_FORESEEN, _MOST_WORK = (40, 20, 10, 5), 1e7


def save_run(
    product: Product,
    path: str | Path,
    *,
    operands: Shapes | None = None,
    engine: str = "",
    planned: Planned = None,
) -> None:
    """Write what happened during a product as JSON, for `anyk report`; an old file is replaced whole or not at all.

    Args:
        product: from any verb; its entries are not written.
        path: of the file.
        operands: shapes of A and B; with them the page also tells what memory the coded blocks took.
        engine: its name.
        planned: what a plan had predicted, to be shown beside what happened: ``anyk.plan(...).best``, or any of
            ``code``, ``answers``, ``seconds``, ``error``, ``worst_error``, ``memory``, ``upload``, ``download``.

    Raises:
        InputError: no product, a prediction of another name, or a place that cannot be written to.

    >>> import numpy as np, anyk, tempfile
    >>> product = anyk.matmul(np.eye(6), np.eye(6), anyk.codes.matdot(2, 4), engine="inline")
    >>> with tempfile.TemporaryDirectory() as place:
    ...     save_run(product, f"{place}/run.json", operands=((6, 6), (6, 6)))
    ...     anyk.report.read(f"{place}/run.json")["kind"]
    'product'
    """
    write_record(recorded(product, operands=operands, engine=engine, planned=planned), path)


def write_record(record: Record, path: str | Path) -> None:
    """Write a record; an old file is replaced whole or not at all.

    Raises:
        InputError: a place that cannot be written to.
    """
    target = Path(path)
    beside = target.with_name(target.name + ".part")
    text = json.dumps(record.as_dict(), allow_nan=False, separators=(",", ":")) + "\n"
    try:
        beside.write_text(text, encoding="utf-8")
        beside.replace(target)
    except OSError as problem:
        raise InputError(
            f"`save_run(path={str(path)!r})`: the file was not written: {problem.strerror or problem}. "
            "Choose another place."
        ) from problem
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)


def recorded(
    product: Product,
    *,
    operands: Shapes | None = None,
    engine: str = "",
    planned: Planned = None,
) -> Record:
    """What happened during a product; arguments and errors as for `save_run`."""
    if not isinstance(product, Product):
        raise InputError(
            f"`save_run(product)` keeps what a verb tells of its product, and {type(product).__name__} came. Pass what "
            "`anyk.matmul` returned, not its entries."
        )
    dtype, attempts = str(product.value.dtype), timeline(product.events)
    return Record(
        finished=True,
        reason=product.reason,
        shape=tuple(product.value.shape),
        dtype=dtype,
        operands=operands,
        engine=engine,
        code=_described(product.code),
        survivors=tuple(map(int, product.survivors)),
        wrong=tuple(map(int, product.wrong)),
        distrusted=tuple(map(int, product.distrusted)),
        error=_finite(product.error),
        error_kind=product.error_kind,
        seconds={phase: float(seconds) for phase, seconds in product.seconds.items()},
        peak_bytes=product.peak_bytes,
        moved=(product.moved.to_workers, product.moved.from_workers, product.moved.between_workers),
        attempts=tuple(attempts),
        moments=tuple(_moments(product.events)),
        decodings=tuple(_decodings(product.events)),
        foreseen=tuple(_foreseen(product.code, attempts, dtype)),
        planned=_checked(planned),
    )


def recorded_failure(
    steps: Sequence[Step],
    reason: str,
    code: Code | None,
    *,
    operands: Shapes | None = None,
    engine: str = "",
    planned: Planned = None,
) -> Record:
    """What happened although there is no product.

    Args:
        steps: of the job or jobs, as a ``watch`` sees them.
        reason: why there is none.
        code: the code, where it is known.
        operands: as for `save_run`.
        engine: as for `save_run`.
        planned: as for `save_run`.
    """
    return Record(
        finished=False,
        reason=reason,
        operands=operands,
        engine=engine,
        code=_described(code),
        attempts=tuple(timeline(steps)),
        moments=tuple(_moments(steps)),
        decodings=tuple(_decodings(steps)),
        wrong=tuple(sorted({row.task for row in timeline(steps) if row.outcome == "wrong"})),
        planned=_checked(planned),
    )


# --- pieces -----------------------------------------------------------------------------------------------------------


def _described(code: Code | None) -> Coded | None:
    if code is None:
        return None
    cut = code.partition
    thresholds = code.recovery_threshold, code.exact_threshold
    return Coded(code.name, cut.rows, cut.inner, cut.cols, code.workers, *thresholds, code.is_complex)


def _moments(steps: Sequence[Step]) -> Iterator[Moment]:
    began, state = steps[0].event.at if steps else 0.0, State.READY
    for step in steps:
        event, at = step.event, step.event.at - began
        if isinstance(event, Left):
            yield Moment(at, "left", event.worker, event.cause)
        elif isinstance(event, Joined):
            yield Moment(at, "joined", event.worker)
        if step.state is not state and step.state in (State.DONE, State.FAILED):
            yield Moment(at, step.state.name.lower())
        state = step.state


def _decodings(steps: Iterable[Step]) -> Iterator[Decoding]:
    began: float | None = None
    band, started, answers = -1, 0.0, 0
    for step in steps:
        event = step.event
        began = event.at if began is None else began
        band += isinstance(event, Started)
        # A decoding is over before another one begins, and its end may begin the next one.
        if isinstance(event, Decoded | Suspected) and answers:
            error = _finite(event.error) if isinstance(event, Decoded) else None
            suspects = tuple(map(int, event.tasks)) if isinstance(event, Suspected) and not event.cause else None
            yield Decoding(started, event.at - began, answers, error, suspects, band)
            answers = 0
        for said in step.instructions:
            if isinstance(said, Decode):
                started, answers = event.at - began, len(said.tasks)


def _foreseen(code: Code | None, attempts: Sequence[Stretch], dtype: str) -> Iterator[tuple[int, float]]:
    """Expected errors had the product been decoded from fewer of the answers, in the order they came."""
    if code is None:
        return
    last = max((row.band for row in attempts), default=0)
    came = [row for row in attempts if row.band == last and row.outcome in ("used", "answered")]
    order = [row.task for row in sorted(came, key=lambda row: row.ended_seconds or 0.0)]
    whole, least = len(order), min(code.recovery_threshold, len(order))
    drawn = ({*range(math.ceil(whole / most), whole + 1, math.ceil(whole / most)), least, whole} for most in _FORESEEN)
    sizes = next((sizes for sizes in drawn if _work(code, sizes) <= _MOST_WORK), set()) if whole else set()
    for size in sorted(sizes):
        yield size, float(code.expected_error(order[:size], dtype))


def _work(code: Code, sizes: Iterable[int]) -> float:
    """Multiplications it takes to foresee these, about."""
    cut = code.partition
    equations = min(cut.products * cut.inner, code.workers)
    return cut.products * cut.inner * code.workers**2 + sum(equations * size * (size + cut.wanted) for size in sizes)


def _checked(planned: Planned) -> dict[str, float | str] | None:
    if planned is None:
        return None
    given = predictions(planned.as_dict()) if isinstance(planned, Candidate) else planned
    strange = [name for name in given if name not in PLANNED]
    if strange:
        raise InputError(f"`save_run(planned=…)` knows no prediction called {strange[0]!r}. Use {', '.join(PLANNED)}.")
    return dict(given)


def predictions(candidate: Mapping[str, Any]) -> dict[str, float | str]:
    """What a record keeps of a plan's candidate, given as its ``as_dict``; what is infinite is left out.

    Raises:
        ValueError: a prediction that is none.
    """
    named = {**{name: candidate.get(name) for name in PLANNED}, "memory": candidate.get("memory_per_worker")}
    kept = {name: value for name, value in named.items() if value is not None}
    for name, value in kept.items():
        is_right = isinstance(value, str) if name == "code" else type(value) in (int, float) and value >= 0
        if not is_right:
            raise ValueError(f"{name} is {value!r}")
    return kept


def _finite(number: Any) -> float | None:
    """JSON has no other numbers."""
    return None if number is None or not math.isfinite(number) else float(number)
