"""Approximate PolyDot: the inner junk of Generalized PolyDot pushed below a wanted error."""

from collections.abc import Callable, Mapping
from math import ceil
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import DTypeLike, NDArray

from anyk.bases import cosine, scattered, sine
from anyk.code import Code
from anyk.codes._levels import THOROUGH, Effort, ensure_integers, random_sets, refuse_if_copies_do
from anyk.errors import CodeError
from anyk.partition import Partition
from anyk.weights import product_error

Table = NDArray[Any]

#: Steps in units of lambda^(1/L): errors have tails, which larger steps shorten.
_FACTORS = (1.0, 2.0, 4.0, 8.0)


def approximate_polydot(
    rows: int,
    inner: int,
    cols: int,
    workers: int,
    *,
    results: int | None = None,
    dtype: DTypeLike = "float64",
    basis: Literal["unit_circle", "chebyshev"] = "unit_circle",
) -> Code:
    r"""Approximate PolyDot code: any ``results`` answers give the product to about $\lambda^{1/L}$.

    Generalized PolyDot with weights $\tau_j$ that fall along the inner index in $L = \lceil n / (k - mnp + 1) \rceil$
    steps, $m, n, p$ = ``rows, inner, cols`` and $k$ = ``results``: in the product, the coefficients beyond the last
    wanted one are suppressed, and need no answers.

    On the unit circle the tables are complex: real matrices cost twice the memory and 3 to 4 times the work on each
    worker. In the Chebyshev basis they are real, with the same law: $A_{ij}$ goes on $T_{in} T_j$ and $B_{jl}$ on
    $T_{n-1-j} T_{lmn}$, and $C_{il}$ belongs to $x^{n-1} T_{in} T_{lmn}$, which no junk of lower degree reaches, since
    powers of $T_n(x)$ times $1, x, \dots, x^{n-1}$ are a basis of all polynomials. Its errors are a few times as large
    with up to three spare workers, and more with each further one, since answers may then cluster at an end of the
    interval.

    Args:
        rows: block rows m of A; at least 1.
        inner: block columns n of A and block rows of B; at least 2.
        cols: block columns p of B; at least 1.
        workers: number of tasks P; at least ``results``.
        results: how many answers must suffice, k: from ``rows * inner * cols`` (default) up to
            ``rows * inner * cols + inner - 2``.
        dtype: the workers' precision.
        basis: ``"unit_circle"``: complex tables, the smaller error; ``"chebyshev"``: real ones.

    Returns:
        A code with recovery threshold ``results``; ``design_error`` is its root mean square expected error over fresh
        random survivor sets of that size.

    Raises:
        CodeError: ``results`` or ``workers`` out of range or no integer, an unknown basis, or an error no better than
            plain replication.

    Reference:
        Jeong, Devulapalli, Cadambe, Calmon, arXiv 2105.01973, Entangled-Poly version (results = rows*inner*cols); the
        steps and the real basis are anyk's own.

    >>> code = approximate_polydot(2, 2, 2, workers=12)
    >>> code.recovery_threshold, code.design_error < 1e-7
    (8, True)
    >>> approximate_polydot(2, 2, 2, workers=10, basis="chebyshev").is_complex
    False
    """
    needed = rows * inner * cols if results is None else results
    return searched(rows, inner, cols, workers, needed, dtype, basis, THOROUGH)


def searched(
    rows: int, inner: int, cols: int, workers: int, needed: int, dtype: DTypeLike, basis: str, effort: Effort
) -> Code:
    """`approximate_polydot`, with more or less effort."""
    call = f"approximate_polydot(rows={rows}, inner={inner}, cols={cols}, workers={workers}, results={needed})"
    partition = Partition(rows, inner, cols)
    _check(call, partition, workers, needed, basis)
    noise, steps = product_error(dtype), ceil(inner / (needed - partition.products + 1))
    sets, fresh = (
        random_sets(workers, needed, count, seed=seed) for seed, count in ((1, effort.formula), (2, effort.fresh))
    )
    codes = [_leveled(partition, workers, needed, basis, steps, factor * noise ** (1 / steps)) for factor in _FACTORS]
    best = min(codes, key=lambda code: _rms(code, sets, dtype))
    error = _rms(best, fresh, dtype)
    refuse_if_copies_do(call, partition, workers, needed, error, dtype)
    return Code(
        best.name,
        partition,
        best.left,
        best.right,
        needed,
        exact_threshold=workers + 1,
        design_error=error,
        reference=best.reference,
    )


def _leveled(cut: Partition, workers: int, results: int, basis: str, steps: int, drop: float) -> Code:
    weights = drop ** (np.arange(cut.inner) * steps // cut.inner)
    left, right = _BASES[basis](cut, workers)
    return Code(
        "approximate_polydot",
        cut,
        left * weights[:, None],
        right / weights[:, None, None],
        results,
        exact_threshold=workers + 1,
        reference=f"arXiv 2105.01973, Entangled-Poly version; {basis}, {steps} steps of {drop:.2g}",
    )


def _rms(code: Code, sets: NDArray[np.intp], dtype: DTypeLike) -> float:
    return float(np.sqrt(np.mean(code.errors_of(sets, dtype) ** 2)))


# --- tables without weights: left (rows, inner, P), right (inner, cols, P) --------------------------------------------


def _unit_circle(cut: Partition, workers: int) -> tuple[Table, Table]:
    i, j, el = np.arange(cut.rows), np.arange(cut.inner), np.arange(cut.cols)
    turns = 2 * scattered(workers)

    def powers(exponents: NDArray[np.intp]) -> Table:
        phases = exponents[..., None] * turns
        return np.asarray(cosine(phases, workers) + 1j * sine(phases, workers))

    left = powers(cut.inner * i[:, None] + j)
    return left, powers(cut.inner - 1 - j[:, None] + cut.rows * cut.inner * el)


def _chebyshev(cut: Partition, workers: int) -> tuple[Table, Table]:
    angles = 2 * scattered(workers) + 1

    def polynomials(degrees: NDArray[np.intp]) -> Table:
        return cosine(np.outer(degrees, angles), 2 * workers)

    inner = polynomials(np.arange(cut.inner))
    inner[0] /= 2  # T_0 T_(n-1) has twice the leading coefficient of T_j T_(n-1-j)
    outer = polynomials(cut.inner * np.arange(cut.rows)), polynomials(cut.rows * cut.inner * np.arange(cut.cols))
    left: Table = np.einsum("iw,jw->ijw", outer[0], inner)
    right: Table = np.einsum("jw,lw->jlw", inner[::-1], outer[1])
    return left, right


_BASES: Mapping[str, Callable[[Partition, int], tuple[Table, Table]]] = MappingProxyType(
    {"unit_circle": _unit_circle, "chebyshev": _chebyshev}
)


def _check(call: str, cut: Partition, workers: int, results: int, basis: str) -> None:
    ensure_integers(call, workers=workers, results=results)
    if basis not in _BASES:
        raise CodeError(f"`{call}`: basis={basis!r} is unknown. Use {' or '.join(map(repr, _BASES))}.")
    if cut.inner < 2:
        raise CodeError(
            f"`{call}`: with one inner block there is nothing to approximate. Use polynomial, which is exact."
        )
    if results < cut.products:
        raise CodeError(
            f"`{call}`: fewer than {cut.products} answers cannot tell the blocks apart. "
            f"Use results={cut.products} or more."
        )
    if results >= cut.products + cut.inner - 1:
        raise CodeError(
            f"`{call}`: {cut.products + cut.inner - 1} answers give the exact product. Use generalized_polydot(rows="
            f"{cut.rows}, inner={cut.inner}, cols={cut.cols}, workers={workers})."
        )
    if workers < results:
        raise CodeError(
            f"`{call}` cannot be decoded: {results} results are needed and {workers} workers exist. "
            f"Use {results} or more workers, or a coarser partition."
        )
