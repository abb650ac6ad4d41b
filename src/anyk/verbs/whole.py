"""A product under way: encoded, formed in bands of rows one after the other, measured as a whole."""

from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from anyk.engines.meter import Meter
from anyk.errors import ClusterError
from anyk.job import until
from anyk.probes import Probe
from anyk.verbs.bands import bands_of, joined
from anyk.verbs.blind import BlindScreen
from anyk.verbs.blocks import Blocks
from anyk.verbs.centering import Centre, sample_of
from anyk.verbs.encoding import Operand, encoded
from anyk.verbs.judgement import judge
from anyk.verbs.kept import Kept
from anyk.verbs.lazy import LazyBlocks, LazyGauge, is_lazy
from anyk.verbs.peak import peak_memory
from anyk.verbs.product import Product
from anyk.verbs.run import Run, Settings
from anyk.verbs.screen import OperandScreen, Screening
from anyk.verbs.sparse_blocks import SparseBlocks, kernel_of
from anyk.verbs.there import answer_bytes, answers_stay

Array = NDArray[Any]


@dataclass(frozen=True)
class Call:
    """What stays the same for every product of one call; see `anyk.verbs.matmul`."""

    settings: Settings
    verify: bool
    centering: bool
    fitting: bool
    tolerance: float | None
    rng: Generator
    asked: Screening | None
    bands: int | None
    reduce: bool | None
    result: str


def product_of(a: Array, b: Array, shape: tuple[int, ...], call: Call) -> Product:
    """The product of two matrices of one working dtype, all of it, and judged.

    Args:
        a: shape (height, depth).
        b: shape (depth, width).
        shape: that the caller expects.
        call: what was asked for.
    """
    with peak_memory() as peak:
        product = _measured_product(a, b, shape, call)
    product = replace(product, peak_bytes=peak[0] if peak else None)
    judge(product, call.settings.code, call.tolerance, dtype=a.dtype)
    return product


def _measured_product(a: Array, b: Array, shape: tuple[int, ...], call: Call) -> Product:
    began = perf_counter()
    code, engine, value = call.settings.code, call.settings.engine, np.empty((a.shape[0], b.shape[1]), a.dtype)
    stays = _answers_stay(call, value)
    # Answers that stay elsewhere take no memory here.
    lazy = is_lazy(a) or is_lazy(b)
    bands = bands_of(a, b, code, call.settings.stop, 1 if (stays or lazy) and call.bands is None else call.bands)
    probe = None if lazy else _probe(call, a, b)
    probed = perf_counter()
    centre = Centre.of(a, b) if call.centering else None
    with encoded(engine, code, a, b, centre, rows=bands[0].stop) as blocks:
        seconds = {"probe": probed - began, "encode": perf_counter() - probed}
        screen = _screen(call, a[bands[0]], b, blocks, probe and probe.of_rows(bands[0]), centre)
        if stays and screen is not None:
            screen.look_there()
        gauge = LazyGauge.draw(engine, a, b, a.dtype, call.rng) if lazy and call.verify else None
        whole = Whole(call, a, b, value, probe, centre, screen, blocks, engine.clock.now(), stays, gauge)
        parts = [whole.band(rows, alone=len(bands) == 1) for rows in bands]
        filled = max([each.fill_in for each in blocks if isinstance(each, SparseBlocks)], default=None)
    sizes = [probe.of_rows(rows).size if probe else len(value[rows]) ** 0.5 for rows in bands]
    if call.result != "array":
        value = parts[0].value
    product = joined(parts, sizes, value)
    seconds["encode"] += product.seconds["encode"]
    if probe and call.verify and len(bands) > 1:
        formed = perf_counter()
        product = replace(product, error=probe.error(value), error_kind="measured")
        seconds["measure"] = product.seconds["measure"] + perf_counter() - formed
    seconds["total"] = perf_counter() - began
    value = value.reshape(shape) if call.result == "array" else value
    return replace(product, value=value, seconds={**product.seconds, **seconds}, fill_in=filled)


@dataclass(frozen=True, eq=False)
class Whole:
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
        stays: answers stay on the workers, who form the product of them.
        gauge: measures it in place of a probe, or None.
    """

    call: Call
    a: Array
    b: Array
    value: Array
    probe: Probe | None
    centre: Centre | None
    screen: OperandScreen | BlindScreen | None
    blocks: tuple[Operand, Operand, Blocks]
    began: float
    stays: bool
    gauge: LazyGauge | None

    def band(self, rows: slice, *, alone: bool) -> Product:
        """Form one band, from answers of its own; ``alone``: it is the whole product."""
        call, settings, a, out = self.call, self.call.settings, self.a[rows], self.value[rows]
        centre, probe = self.centre and self.centre.of_rows(rows), self.probe and self.probe.of_rows(rows)
        began = perf_counter()
        if rows.start:
            self.blocks[0].encode(settings.code.left, a, None if centre is None else centre.left)
            if self.screen is not None:
                self.screen.go_on(a, self.blocks[0].arrays, centre, probe)
                if self.stays:
                    self.screen.look_there()
            if settings.timeout is not None:
                elapsed = settings.engine.clock.now() - self.began
                settings = replace(settings, timeout=max(0.0, settings.timeout - elapsed))
        seconds = {"encode": perf_counter() - began}
        # Measuring bands takes a pass over B each: only where it is to be known how good they are.
        is_measured = call.verify and (alone or isinstance(settings.stop, until))
        meter = Meter()
        run = Run(
            settings,
            *self.blocks,
            out.shape,
            out.dtype,
            self.gauge or (probe if is_measured else None),
            centre=centre,
            sample=sample_of(a, self.b, settings.code, centre, call.rng) if call.fitting else None,
            screen=self.screen,
            out=out,
            meter=meter,
            kept=self._kept(out, meter, settings) if self.stays else None,
            multiply=kernel_of(*self.blocks[:2]),
        )
        try:
            return run.finish(seconds)
        except ClusterError as error:
            if alone:
                raise
            raise ClusterError(f"rows {rows.start} to {rows.stop - 1} of the product: {error}") from error

    def _kept(self, out: Array, meter: Meter, settings: Settings) -> Kept:
        library = self.call.result if self.call.result != "array" else ""
        code = settings.code
        shape = len(out), out.shape[1]
        size = answer_bytes(code, shape, out.dtype)
        return Kept(settings.engine, code.partition, shape, out.dtype, size, meter, library, settings.timeout)


def _probe(call: Call, a: Array, b: Array) -> Probe | None:
    return Probe.draw(a, b, call.rng, columns=2 if call.asked else 1) if call.verify or call.asked else None


def _answers_stay(call: Call, value: Array) -> bool:
    settings = call.settings
    return answers_stay(
        "matmul",
        settings.engine,
        settings.code,
        answer_bytes(settings.code, (len(value), value.shape[1]), value.dtype),
        settings.stop,
        wish=call.reduce,
        result=call.result,
        plain=not call.fitting,
        asked=call.asked,
    )


def _screen(
    call: Call,
    a: Array,
    b: Array,
    blocks: tuple[Operand, Operand, Blocks],
    probe: Probe | None,
    centre: Centre | None,
) -> OperandScreen | BlindScreen | None:
    """What was asked for, for the product of the first band of A."""
    if call.asked is None:
        return None
    if lazy := [each for each in blocks if isinstance(each, LazyBlocks)]:
        return BlindScreen(call.asked, call.settings.code, lazy, call.rng)
    coded = blocks[0].arrays, blocks[1].arrays
    centre = centre and centre.of_rows(slice(len(a)))
    return OperandScreen(call.asked, call.settings.code, (a, b), coded, centre, call.rng, probe)
