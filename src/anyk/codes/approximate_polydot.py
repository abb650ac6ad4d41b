"""Approximate PolyDot: the inner junk of Generalized PolyDot pushed below a wanted error."""

from math import ceil

import numpy as np
from numpy.typing import DTypeLike, NDArray

from anyk.bases import cosine, scattered, sine
from anyk.code import Code
from anyk.codes._levels import random_sets
from anyk.errors import CodeError
from anyk.partition import Partition
from anyk.weights import product_error


def approximate_polydot(
    rows: int, inner: int, cols: int, workers: int, *, results: int | None = None, dtype: DTypeLike = "float64"
) -> Code:
    r"""Approximate PolyDot code: any ``results`` answers give the product to about $\lambda^{1/L}$.

    Generalized PolyDot in powers on the unit circle, with weights $\tau_j$ that fall along the inner index in
    $L = \lceil n / (k - mnp + 1) \rceil$ steps, $m, n, p$ = ``rows, inner, cols`` and $k$ = ``results``. The tables are
    complex: real matrices cost twice the memory and 3 to 4 times the work on each worker.

    Args:
        rows: block rows m of A; at least 1.
        inner: block columns n of A and block rows of B; at least 2.
        cols: block columns p of B; at least 1.
        workers: number of tasks P; at least ``results``.
        results: how many answers must suffice, k: from ``rows * inner * cols`` (default) up to
            ``rows * inner * cols + inner - 2``.
        dtype: the workers' precision.

    Returns:
        A code with recovery threshold ``results``; ``design_error`` is its root mean square expected error over random
        survivor sets of that size.

    Raises:
        CodeError: ``results`` or ``workers`` out of range, or an error too large to be of use.

    Reference:
        Jeong, Devulapalli, Cadambe, Calmon, arXiv 2105.01973, Entangled-Poly version (results = rows*inner*cols).

    >>> code = approximate_polydot(2, 2, 2, workers=12)
    >>> code.recovery_threshold, code.design_error < 1e-7
    (8, True)
    """
    fewest = rows * inner * cols
    needed = fewest if results is None else results
    call = f"approximate_polydot(rows={rows}, inner={inner}, cols={cols}, workers={workers}, results={needed})"
    partition = Partition(rows, inner, cols)
    _check(call, partition, workers, needed)
    noise, steps = product_error(dtype), ceil(inner / (needed - fewest + 1))
    sets = random_sets(workers, needed, 100, seed=1)
    codes = [
        _leveled(call, partition, workers, needed, steps, factor * noise ** (1 / steps)) for factor in (1.0, 2.0, 4.0)
    ]
    errors = [float(np.sqrt(np.mean(code.errors_of(sets, dtype) ** 2))) for code in codes]
    best = int(np.argmin(errors))
    if errors[best] > 0.4:
        raise CodeError(
            f"`{call}` would have a relative error of {errors[best]:.1g} in {dtype}. Use more results (up to "
            f"{fewest + inner - 2}), a wider dtype, or replication."
        )
    return Code(
        "approximate_polydot",
        partition,
        codes[best].left,
        codes[best].right,
        needed,
        exact_threshold=workers + 1,
        design_error=errors[best],
        reference=codes[best].reference,
    )


def _leveled(call: str, cut: Partition, workers: int, results: int, steps: int, drop: float) -> Code:
    weights = drop ** (np.arange(cut.inner) * steps // cut.inner)
    i, j, el = np.arange(cut.rows), np.arange(cut.inner), np.arange(cut.cols)
    turns = 2 * scattered(workers)

    def powers(exponents: NDArray[np.intp]) -> NDArray[np.complex128]:
        return cosine(exponents[..., None] * turns, workers) + 1j * sine(exponents[..., None] * turns, workers)

    left = powers(cut.inner * i[:, None] + j) * weights[:, None]
    right = powers(cut.inner - 1 - j[:, None] + cut.rows * cut.inner * el) / weights[:, None, None]
    words = f"arXiv 2105.01973, Entangled-Poly version; {steps} steps of {drop:.2g} on the unit circle"
    return Code(call, cut, left, right, results, exact_threshold=workers + 1, reference=words)


def _check(call: str, cut: Partition, workers: int, results: int) -> None:
    if cut.inner < 2:
        raise CodeError(
            f"`{call}`: with one inner block there is nothing to approximate. Use polynomial, which is exact."
        )
    if not isinstance(results, int) or results < cut.products:
        raise CodeError(
            f"`{call}`: fewer than {cut.products} answers cannot tell the blocks apart. "
            f"Use results={cut.products} or more."
        )
    if results >= cut.products + cut.inner - 1:
        raise CodeError(
            f"`{call}`: {cut.products + cut.inner - 1} answers give the exact product. Use generalized_polydot(rows="
            f"{cut.rows}, inner={cut.inner}, cols={cut.cols}, workers={workers})."
        )
    if not isinstance(workers, int) or workers < results:
        raise CodeError(
            f"`{call}` cannot be decoded: {results} results are needed and {workers} workers exist. "
            f"Use {results} or more workers, or a coarser partition."
        )
