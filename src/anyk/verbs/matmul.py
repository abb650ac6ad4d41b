"""The straight line: cut and encode, let the workers multiply, decode from whoever answered, measure."""

import os
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from anyk import planning
from anyk.code import Code
from anyk.engines.base import Engine
from anyk.engines.drive import Watch
from anyk.errors import ClusterError
from anyk.job import StopRule, deadline, first_threshold, until
from anyk.probes import Probe
from anyk.screening import Model
from anyk.verbs.bands import bands_of, joined
from anyk.verbs.blocks import Blocks, encoded
from anyk.verbs.centering import Centre, sample_of
from anyk.verbs.integers import exactly, roundable
from anyk.verbs.judgement import judge
from anyk.verbs.opened import opened_engine
from anyk.verbs.operands import Operands, operands
from anyk.verbs.peak import peak_memory
from anyk.verbs.product import Product, nothing
from anyk.verbs.run import Run, Settings
from anyk.verbs.screen import Kind, OperandScreen, Screening

Array = NDArray[Any]


def matmul(
    A: ArrayLike,
    B: ArrayLike,
    code: Code | None = None,
    *,
    workers: int | None = None,
    stragglers: int = 0,
    wrong: int = 0,
    screen: Kind | None = None,
    model: Model = "random",
    tolerance: float | None = None,
    engine: "str | Engine | None" = None,
    stop: StopRule | None = None,
    verify: bool = True,
    center: bool = True,
    fit: bool = True,
    check_finite: bool = True,
    timeout: float | None = None,
    retries: int = 1,
    rng: Generator | int | None = None,
    watch: Watch | None = None,
    bands: int | None = None,
) -> Product:
    """The product of two matrices, recovered from the first sufficient set of workers' answers.

    Args:
        A: matrix (height, depth) or vector (depth,). float32, float64, complex64 and complex128 are computed in their
            own precision, half precision in float32, integers and booleans exactly in int64.
        B: matrix (depth, width) or vector (depth,).
        code: how to encode; default: chosen by a simple rule (see `anyk.planning`) from ``workers`` and ``stragglers``.
        workers: number of tasks where no code is given; default: the engine's workers, or the machine's cores and the
            stragglers.
        stragglers: where no code is given: how many answers may be missing.
        wrong: how many answers may be wrong without notice. So many more are awaited, the wrong ones found, thrown out,
            and computed elsewhere where too few remain.
        screen: how wrong answers are found: ``"checked"``: each one against the operands, whatever is wrong with how
            many (about 4 % of the product); ``"syndrome"``: from the answers alone, as `locate`, which takes K + wrong
            + 1 of them (K + 2 wrong in the adversarial model); ``"both"``. Default: ``"checked"`` where ``wrong`` is
            given, for the operands are here; else nothing.
        model: what wrong answers may be like, for ``"syndrome"``: ``"random"`` or ``"adversarial"``.
        tolerance: return at the earliest answer expected, and then measured, to be this good; warn if none was.
        engine: a name such as ``"processes"``, ``"processes:8"``, ``"inline"``, or an opened engine, which is left
            open.
            Default: one process per task on this machine.
        stop: when to stop waiting; default: at the first answers that decode (``until(tolerance)`` with a tolerance;
            integers: at the first that decode well enough to be rounded).
        verify: measure the error with random probes (about 3 % of the plain product); else report the expected error.
        center: code only what varies along the inner dimension, where that helps: with approximate codes and with
            ``deadline``, whose partial answers are approximate (see `anyk.verbs.centering`).
        fit: let a sample of the true product steer the decoding weights, where that helps: with approximate codes.
        check_finite: refuse NaN and infinite entries.
        timeout: seconds until giving up; default: never. With ``deadline`` as stop rule the best partial answer is
            returned.
        retries: how often a task is computed again after its worker was lost.
        rng: generator or seed of the probes; default: fresh randomness.
        watch: called with each step of the job as it is made, for a live view (see `anyk.engines.drive`).
        bands: form the product in so many bands of rows, one after the other, each from its own first sufficient
            answers: all answers together then take so many times less memory. Default: as many as keep them smaller
            than A, B and C together; one where a stop rule might look at the time.

    Returns:
        The product, who answered, and its error.

    Raises:
        InputError: operands that cannot be multiplied, or arguments out of range.
        CodeError: no code for so few workers.
        ClusterError: too few answers came, or the engine could not start.
        PrecisionError: the answers hold values that are not finite, or an integer product is not exact.

    Warns:
        PrecisionWarning: the error is larger than the tolerance, or than rounding explains.

    >>> import numpy as np, anyk
    >>> A, B = np.arange(6).reshape(2, 3), np.arange(6).reshape(3, 2)
    >>> anyk.matmul(A, B, anyk.codes.matdot(inner=2, workers=4), engine="inline").value.tolist()
    [[10, 13], [28, 40]]
    """
    given = operands("matmul", A, B, check_finite=check_finite)
    rng = np.random.default_rng(rng)
    if not (given.a.size and given.b.size):
        return nothing(given.shape, np.dtype(np.int64) if given.is_integer else given.a.dtype)
    asked = Screening.of("matmul", code, wrong, screen, model)
    extra = asked.extra if asked else 0
    rule = stop or (first_threshold(extra) if tolerance is None else until(tolerance))
    with opened_engine(engine, code.workers if code else workers or _default_workers(stragglers + extra)) as opened:
        chosen = code or planning.choose(
            given.a.shape, given.b.shape, workers=workers or len(opened.lanes), stragglers=stragglers + extra
        )
        if asked and not code:
            asked.check("matmul", chosen)
        centering = center and (not chosen.is_exact or isinstance(rule, deadline))
        fitting = fit and not chosen.is_exact
        call = _Call(
            Settings(chosen, opened, rule, timeout, retries, watch),
            verify,
            centering,
            fitting,
            tolerance,
            rng,
            asked,
            bands,
        )
        if given.is_integer:
            return _integer_product(given, call, choosy=stop is None and tolerance is None)
        return _product(given.a, given.b, given.shape, call)


@dataclass(frozen=True)
class _Call:
    """What stays the same for every product of one call."""

    settings: Settings
    verify: bool
    centering: bool
    fitting: bool
    tolerance: float | None
    rng: Generator
    asked: Screening | None
    bands: int | None


def _product(a: Array, b: Array, shape: tuple[int, ...], call: _Call) -> Product:
    with peak_memory() as peak:
        product = _measured_product(a, b, shape, call)
    product = replace(product, peak_bytes=peak[0] if peak else None)
    judge(product, call.settings.code, call.tolerance)
    return product


def _measured_product(a: Array, b: Array, shape: tuple[int, ...], call: _Call) -> Product:
    began = perf_counter()
    code, engine, value = call.settings.code, call.settings.engine, np.empty((a.shape[0], b.shape[1]), a.dtype)
    bands = bands_of(a, b, code, call.settings.stop, call.bands)
    probe = Probe.draw(a, b, call.rng, columns=2 if call.asked else 1) if call.verify or call.asked else None
    probed = perf_counter()
    centre = Centre.of(a, b) if call.centering else None
    with encoded(engine, code, a, b, centre, rows=bands[0].stop) as blocks:
        seconds = {"probe": probed - began, "encode": perf_counter() - probed}
        screen = _screen(call, a[bands[0]], b, blocks, probe and probe.of_rows(bands[0]), centre)
        whole = _Whole(call, a, b, value, probe, centre, screen, blocks, engine.clock.now())
        parts = [whole.band(rows, alone=len(bands) == 1) for rows in bands]
    sizes = [probe.of_rows(rows).size if probe else len(value[rows]) ** 0.5 for rows in bands]
    product = joined(parts, sizes, value)
    seconds["encode"] += product.seconds["encode"]
    if probe and call.verify and len(bands) > 1:
        formed = perf_counter()
        product = replace(product, error=probe.error(value), error_kind="measured")
        seconds["measure"] = product.seconds["measure"] + perf_counter() - formed
    seconds["total"] = perf_counter() - began
    return replace(product, value=value.reshape(shape), seconds={**product.seconds, **seconds})


@dataclass(frozen=True, eq=False)
class _Whole:
    """A product under way, of which bands of rows are formed in turn.

    Args:
        call: what was asked for.
        a: shape (height, depth).
        b: shape (depth, width).
        value: where the product goes, shape (height, width).
        probe: measures it, or None.
        centre: what encoding takes out, or None.
        screen: of the first band, or None.
        blocks: the first band of A and all of B, encoded, and buffers for a band's answers.
        began: when, on the engine's clock.
    """

    call: _Call
    a: Array
    b: Array
    value: Array
    probe: Probe | None
    centre: Centre | None
    screen: OperandScreen | None
    blocks: tuple[Blocks, Blocks, Blocks]
    began: float

    def band(self, rows: slice, *, alone: bool) -> Product:
        """Form one band, from answers of its own; ``alone``: it is the whole product."""
        call, settings, a, out = self.call, self.call.settings, self.a[rows], self.value[rows]
        centre, probe = self.centre and self.centre.of_rows(rows), self.probe and self.probe.of_rows(rows)
        began = perf_counter()
        if rows.start:
            self.blocks[0].encode(settings.code.left, a, None if centre is None else centre.left)
            if self.screen is not None:
                self.screen.go_on(a, self.blocks[0].arrays, centre, probe)
            if settings.timeout is not None:
                elapsed = settings.engine.clock.now() - self.began
                settings = replace(settings, timeout=max(0.0, settings.timeout - elapsed))
        seconds = {"encode": perf_counter() - began}
        # Measuring bands takes a pass over B each: only where it is to be known how good they are.
        is_measured = call.verify and (alone or isinstance(settings.stop, until))
        run = Run(
            settings,
            *self.blocks,
            out.shape,
            out.dtype,
            probe if is_measured else None,
            centre=centre,
            sample=sample_of(a, self.b, settings.code, centre, call.rng) if call.fitting else None,
            screen=self.screen,
            out=out,
        )
        try:
            return run.finish(seconds)
        except ClusterError as error:
            if alone:
                raise
            raise ClusterError(f"rows {rows.start} to {rows.stop - 1} of the product: {error}") from error


def _screen(
    call: _Call,
    a: Array,
    b: Array,
    blocks: tuple[Blocks, Blocks, Blocks],
    probe: Probe | None,
    centre: Centre | None,
) -> OperandScreen | None:
    """What was asked for, for the product of the first band of A."""
    if call.asked is None:
        return None
    coded = blocks[0].arrays, blocks[1].arrays
    centre = centre and centre.of_rows(slice(len(a)))
    return OperandScreen(call.asked, call.settings.code, (a, b), coded, centre, call.rng, probe)


def _integer_product(given: Operands, call: _Call, *, choosy: bool) -> Product:
    """An exact product; ``choosy``: wait for answers that decode well enough to be rounded, not only to decode."""
    products: list[Product] = []

    def multiplied(a: Array, b: Array) -> Array:
        settings = replace(call.settings, stop=until(roundable(a, b))) if choosy else call.settings
        products.append(_product(a, b, (a.shape[0], b.shape[1]), replace(call, settings=settings)))
        return products[-1].value

    value = exactly(given.a, given.b, call.rng, multiplied).reshape(given.shape)
    return replace(products[-1], value=value, error=0.0, error_kind="exact")


def _default_workers(stragglers: int) -> int:
    return max(2, os.cpu_count() or 1) + stragglers
