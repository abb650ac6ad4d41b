"""The straight line: cut and encode, let the workers multiply, decode from whoever answered, measure."""

import os
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from anyk import planning
from anyk.code import Code
from anyk.engines import is_engine
from anyk.engines.base import Engine
from anyk.engines.drive import Watch
from anyk.errors import InputError
from anyk.job import StopRule, deadline, first_threshold, until
from anyk.screening import Model
from anyk.sparse import is_sparse
from anyk.verbs.blind import without_operands
from anyk.verbs.devices import device_product, runs_here
from anyk.verbs.integers import exactly, roundable
from anyk.verbs.judgement import judge
from anyk.verbs.library import Library
from anyk.verbs.opened import opened_engine
from anyk.verbs.operands import Operands, operands
from anyk.verbs.product import Product, nothing
from anyk.verbs.run import Settings
from anyk.verbs.screen import Kind, Screening
from anyk.verbs.whole import Call, product_of

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
    reduce: bool | None = None,
    result: str = "array",
) -> Product:
    """The product of two matrices, recovered from the first sufficient set of workers' answers.

    Args:
        A: matrix (height, depth) or vector (depth,). float32, float64, complex64 and complex128 are computed in their
            own precision, half precision in float32, integers and booleans exactly in int64. Sparse matrices (SciPy's,
            and arrays of the ``sparse`` package) are encoded as sums of sparse blocks, and never made dense; integer
            ones are computed as float64. torch tensors and arrays of the array API standard (CuPy's) stay on their
            device where work runs in this process (``"inline"``, ``"futures"``), else they are copied; the product is
            on their device. Dask arrays are encoded by the workers of a Dask engine, which compute them, too; no
            process ever holds one as a whole, nor the product with ``result="dask"``.
        B: matrix (depth, width) or vector (depth,).
        code: how to encode; default: what `anyk.planning.choose` makes of the shapes, ``workers``, ``stragglers``.
        workers: number of tasks where no code is given; default: the engine's workers, or the machine's cores and the
            stragglers.
        stragglers: where no code is given: how many answers may be missing.
        wrong: how many answers may be wrong without notice. So many more are awaited, the wrong ones found, thrown out,
            and computed elsewhere where too few remain.
        screen: how wrong answers are found: ``"checked"``: each one against the operands, whatever is wrong with how
            many (about 4 % of the product); ``"syndrome"``: from the answers alone, as `locate`, which takes K + wrong
            + 1 of them (K + 2 wrong in the adversarial model); ``"both"``. Default: ``"checked"`` where ``wrong`` is
            given, for the operands are here; ``"syndrome"`` where one is a Dask array, which stays with the cluster;
            else nothing.
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
        reduce: let the workers form the sum that decodes, so that the master receives one C in place of the answers.
            Default: on clusters, where the answers together are much larger than C and their weights follow from the
            code alone.
        result: ``"array"``: the product comes here; ``"dask"`` or ``"ray"``: it stays on that cluster, as a Dask array
            or as rows of Ray's references to its blocks.

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
    if 0 in (*given.a.shape, *given.b.shape):
        here = given.here()
        zeros = nothing(given.shape, np.dtype(np.int64) if given.is_integer else here.a.dtype)
        return _brought_home(zeros, given.home)
    asked = Screening.of("matmul", code, wrong, screen, model)
    extra = asked.extra if asked else 0
    with opened_engine(engine, code.workers if code else workers or _default_workers(stragglers + extra)) as opened:
        is_afar = given.is_lazy and hasattr(opened, "chunks_of")
        if asked and is_afar:
            asked = without_operands(asked, "matmul", code, screen, stays=bool(reduce) or result != "array")
            extra = asked.extra
        rule = stop or (first_threshold(extra) if tolerance is None else until(tolerance))
        chosen = code or planning.choose(
            given.a.shape, given.b.shape, workers=workers or len(opened.lanes), stragglers=stragglers + extra
        )
        if asked and not code:
            asked.check("matmul", chosen)
        settings = Settings(chosen, opened, rule, timeout, retries, watch)
        if given.home is not None and runs_here(opened) and not given.is_integer:
            return _there(given, given.home, settings, asked, verify, tolerance, rng)
        home = given.home
        if not is_afar:
            given = given.here()
        # What centering takes out, and what fits sample, is dense.
        plain = result == "array" and not (is_sparse(given.a) or is_sparse(given.b) or given.is_lazy)
        centering = center and plain and (not chosen.is_exact or isinstance(rule, deadline))
        fitting = fit and plain and not chosen.is_exact
        call = Call(
            settings,
            verify,
            centering,
            fitting,
            tolerance,
            rng,
            asked,
            bands,
            reduce,
            result,
        )
        if result != "array" and not (is_engine(engine) or getattr(opened, "keeps_results", False)):
            raise InputError(
                f"`matmul(engine={engine!r}, result={result!r})`: the product would end with the engine, which is "
                "opened for this call alone. Open it yourself, or pass a client or a connection of yours."
            )
        if result != "array" and (given.is_integer or given.shape != (given.a.shape[0], given.b.shape[1])):
            raise InputError(f"`matmul(result={result!r})` leaves products of floating-point matrices on the cluster.")
        if given.is_integer:
            product = _integer_product(given, call, choosy=stop is None and tolerance is None)
        else:
            product = product_of(given.a, given.b, given.shape, call)
        return _brought_home(product, home)


def _integer_product(given: Operands, call: Call, *, choosy: bool) -> Product:
    """An exact product; ``choosy``: wait for answers that decode well enough to be rounded, not only to decode."""
    products: list[Product] = []

    def multiplied(a: Array, b: Array) -> Array:
        settings = replace(call.settings, stop=until(roundable(a, b))) if choosy else call.settings
        products.append(product_of(a, b, (a.shape[0], b.shape[1]), replace(call, settings=settings)))
        return products[-1].value

    value = exactly(given.a, given.b, call.rng, multiplied).reshape(given.shape)
    return replace(products[-1], value=value, error=0.0, error_kind="exact")


def _brought_home(product: Product, home: Library | None) -> Product:
    """The product as an array of its operands' library, where that is not NumPy."""
    return product if home is None else replace(product, value=home.asarray(product.value, product.value.dtype))


def _there(
    given: Operands,
    library: Library,
    settings: Settings,
    asked: Screening | None,
    verify: bool,
    tolerance: float | None,
    rng: Generator,
) -> Product:
    """A product that stays on the device of its operands."""
    dtype = library.dtype_of(given.a)
    both = given.a, given.b
    product = device_product(library, both, dtype, settings, asked=asked, verify=verify, rng=rng)
    judge(product, settings.code, tolerance, dtype=dtype)
    return replace(product, value=library.xp.reshape(product.value, given.shape))


def _default_workers(stragglers: int) -> int:
    return max(2, os.cpu_count() or 1) + stragglers
