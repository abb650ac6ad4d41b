"""An anytime product: a better answer each time a result arrives, its measured error on it."""

from collections.abc import Generator
from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np
from numpy.typing import ArrayLike

from anyk.code import Code
from anyk.engines.base import Engine
from anyk.engines.drive import Watch
from anyk.errors import InputError
from anyk.job.stop import Progress, Verdict
from anyk.probes import Probe
from anyk.screening import Model
from anyk.sparse import is_sparse
from anyk.verbs.centering import Centre
from anyk.verbs.encoding import encoded
from anyk.verbs.judgement import judge
from anyk.verbs.opened import opened_engine
from anyk.verbs.operands import operands
from anyk.verbs.product import Product, nothing
from anyk.verbs.run import Run, Settings
from anyk.verbs.screen import Kind, OperandScreen, Screening
from anyk.verbs.sparse_blocks import kernel_of


def stream(
    A: ArrayLike,
    B: ArrayLike,
    code: Code,
    *,
    wrong: int = 0,
    screen: Kind | None = None,
    model: Model = "random",
    tolerance: float | None = None,
    deadline: float | None = None,
    engine: str | Engine | None = None,
    center: bool = True,
    check_finite: bool = True,
    timeout: float | None = None,
    retries: int = 1,
    rng: np.random.Generator | int | None = None,
    watch: Watch | None = None,
) -> Generator[Product, None, None]:
    """The product of two matrices, given again and again: each time an answer made it better.

    Every product is decoded from all answers so far and carries its measured error. The last one is within the
    tolerance, or, without a tolerance, decoded from answers that suffice; or it is the best by the deadline. Leaving
    the loop early frees the workers; whoever keeps the generator itself in a variable closes it (``close()``).

    Args:
        A: matrix (height, depth) or vector (depth,); integers become float64.
        B: matrix (depth, width) or vector (depth,).
        code: how to encode.
        wrong: how many answers may be wrong without notice. They are found, thrown out, and computed elsewhere where
            too few remain; no product is formed from them.
        screen: how, as for `matmul`. ``"checked"``, the default where ``wrong`` is given, looks at each answer as it
            comes; ``"syndrome"`` has nothing to say, and gives no product, before K + wrong + 1 of them came (K + 2
            wrong in the adversarial model).
        model: what wrong answers may be like, for ``"syndrome"``: ``"random"`` or ``"adversarial"``.
        tolerance: stop at this relative error; default: at the first answers that decode.
        deadline: seconds from when the workers begin, after which the best product so far is the last; default: none.
        engine: as for `matmul`.
        center: code only what varies along the inner dimension (see `anyk.verbs.centering`).
        check_finite: refuse NaN and infinite entries.
        timeout: seconds until giving up, with an error; default: never.
        retries: how often a task is computed again after its worker was lost.
        rng: generator or seed of the probes.
        watch: called with each step of the job.

    Yields:
        Products with falling error, each in an array of its own.

    Raises:
        InputError: operands that cannot be multiplied, or a tolerance or deadline that is not positive. At once.
        ClusterError: time is over, or nothing more can come and what came does not decode. The products given before
            are as good as they say. With a deadline: no answer came by then.
        PrecisionError: the answers hold values that are not finite.

    Warns:
        PrecisionWarning: all answers or the deadline came, and the last product's error is larger than the tolerance,
            or than rounding explains.

    >>> import numpy as np, anyk
    >>> errors = [
    ...     p.error for p in anyk.stream(np.eye(6), np.eye(6), anyk.codes.matdot(2, 4), engine="inline")
    ... ]
    >>> errors == sorted(errors, reverse=True) and errors[-1] < 1e-12
    True
    """
    if tolerance is not None and not tolerance > 0:
        raise InputError(f"`stream(tolerance={tolerance})`: no answer is that good; use a tolerance above 0.")
    if deadline is not None and not deadline > 0:
        raise InputError(f"`stream(deadline={deadline})`: a deadline lies after the start; use more than 0 seconds.")
    asked = Screening.of("stream", code, wrong, screen, model)
    given = operands("stream", A, B, check_finite=check_finite).here()
    a, b = (matrix.astype(np.float64) if given.is_integer else matrix for matrix in (given.a, given.b))
    if not (a.size and b.size):
        return (each for each in [nothing(given.shape, a.dtype)])

    def products() -> Generator[Product, None, None]:
        began = perf_counter()
        centre = Centre.of(a, b) if center and not (is_sparse(a) or is_sparse(b)) else None
        with opened_engine(engine, code.workers) as opened, encoded(opened, code, a, b, centre) as blocks:
            secret = np.random.default_rng(rng)
            probe = Probe.draw(a, b, secret)
            coded = blocks[0].arrays, blocks[1].arrays
            screening = OperandScreen(asked, code, (a, b), coded, centre, secret) if asked else None
            least = code.recovery_threshold + asked.extra if asked and asked.kind == "syndrome" else 1
            settings = Settings(code, opened, each_answer(tolerance, deadline, least), timeout, retries, watch)
            run = Run(
                settings,
                *blocks,
                (a.shape[0], b.shape[1]),
                a.dtype,
                probe,
                centre=centre,
                screen=screening,
                multiply=kernel_of(*blocks[:2]),
            )
            best = yield from _improving(run, given.shape, began)
            # In here, so that a warning turned into an error finds the engine still open, and closes it.
            judge(best, code, tolerance, remedy="Use a wider dtype, more workers or a larger tolerance")

    return products()


@dataclass(frozen=True)
class each_answer:
    """Form the product at every answer; be content at the tolerance, once the answers decode, or at the deadline."""

    tolerance: float | None
    seconds: float | None = None
    #: Answers without which nothing is formed; those dropped as wrong count.
    least: int = 1

    #: How a user takes the best answer by a certain time.
    in_time = "`deadline=seconds`"

    @property
    def asked(self) -> str:
        """The rule as the user asked for it."""
        given = {"tolerance": self.tolerance, "deadline": self.seconds}
        return f"stream({', '.join(f'{name}={value:g}' for name, value in given.items() if value is not None)})"

    def __call__(self, progress: Progress) -> Verdict:
        """Not measured yet: form it. Measured: is that enough?"""
        if self.seconds is None:
            return self._judged(progress, hopeless=self.tolerance is None and not progress.reachable())
        limit = self.seconds if progress.timeout is None else min(self.seconds, progress.timeout)
        answers = len(progress.received)
        if progress.elapsed >= limit or not (progress.pending or progress.spare):
            return Verdict(answers > 0, f"{answers or 'no'} answers came by the deadline of {limit:g} s", give_up=True)
        return replace(self._judged(progress, hopeless=False), wake_at=limit)

    def _judged(self, progress: Progress, *, hopeless: bool) -> Verdict:
        error, answers = progress.measured, len(progress.received)
        if hopeless:
            return Verdict(False, "too few answers can still come", give_up=True)
        if error is None:
            return Verdict(answers > 0 and answers + len(progress.wrong) >= self.least, f"{answers} answers came")
        words = f"measured error {error:.1e} of {answers} answers"
        if self.tolerance is not None:
            return Verdict(error <= self.tolerance, words)
        return Verdict(True, f"{answers} answers decode") if progress.sufficient() else Verdict(False, words)


def _improving(run: Run, shape: tuple[int, ...], began: float) -> Generator[Product, None, Product]:
    """Yield each product that is better than all before; return the best, or the last if that is not finite."""
    best, least, start = None, np.inf, perf_counter() - began
    decodings = run.decodings()
    try:
        for _ in decodings:
            product = run.product({"start": start, "total": perf_counter() - began})
            error = np.inf if product.error is None else product.error
            if error < least:
                best, least = replace(product, value=product.value.reshape(shape)), error
                yield best
    finally:
        decodings.close()
    last = run.product({"start": start, "total": perf_counter() - began})
    return replace(best, reason=last.reason) if best and np.isfinite(last.error or 0.0) else last
