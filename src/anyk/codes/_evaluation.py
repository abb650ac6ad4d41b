"""What every evaluation code shares: tables from `anyk.bases`, a threshold, and the refusals that name the way out."""

from numpy.typing import DTypeLike

from anyk.bases import digit_tables
from anyk.code import Code, refuse_if_useless
from anyk.errors import CodeError
from anyk.partition import Partition


def evaluation_code(
    call: str,
    partition: Partition,
    workers: int,
    *,
    threshold: int,
    basis: str,
    dtype: DTypeLike,
    reference: str,
    stride: int | None = None,
) -> Code:
    """A code whose tasks are evaluations of two block polynomials.

    Args:
        call: how the user called the family; its name is what stands before the bracket.
        partition: (rows, inner, cols).
        workers: number of evaluation points, at least ``threshold``.
        threshold: recovery threshold of the family.
        basis: a key of `anyk.bases.BASES`.
        dtype: the precision in which the code must be useful.
        reference: where the construction comes from.
        stride: distance of neighbouring outer digits; default: inner.

    Raises:
        CodeError: too few workers, no such basis for this partition, or a basis that cannot work at this size and
            dtype.
    """
    if type(workers) is not int:
        raise CodeError(f"`{call}` needs `workers` to be an integer, not {workers!r}.")
    if workers < threshold:
        raise CodeError(
            f"`{call}` cannot be decoded: {threshold} results are needed and {workers} workers exist. "
            f"Use {threshold} or more workers, or a coarser partition than {partition}."
        )
    left, right, positions = digit_tables(
        partition.rows, partition.inner, partition.cols, workers, stride=stride or partition.inner, basis=basis
    )
    code = Code(call.partition("(")[0], partition, left, right, threshold, positions=positions, reference=reference)
    return refuse_if_useless(code, call, dtype, _remedy(partition, basis))


def _remedy(partition: Partition, basis: str) -> str:
    if basis != "trigonometric":
        return "Use basis='trigonometric' (the default), which can at most sizes."
    if partition.inner == 1:
        return "Use `random_khatri_rao`, which stands many missing workers, or fewer workers, or a finer partition."
    return "Use fewer workers or a finer partition (less redundancy), or float64."
