"""What is asked: a product, a cluster, and what may go wrong on it. Checked here, trusted everywhere else."""

from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import DTypeLike

from anyk.errors import InputError
from anyk.faults import FaultModel
from anyk.partition import Shape
from anyk.weights import product_error

Model = Literal["random", "adversarial"]
Screen = Literal["syndrome", "checked"]
DelayUnit = Literal["seconds", "tasks"]


@dataclass(frozen=True, eq=False)
class Request:
    """One question to the planner; the arguments are those of `anyk.plan`.

    Raises:
        InputError: an argument out of range.
    """

    shape_a: Shape
    shape_b: Shape
    workers: int
    stragglers: int = 0
    wrong: int = 0
    tolerance: float | None = None
    dtype: str = "float64"
    memory_per_worker: float | None = None
    delays: FaultModel | None = None
    bandwidth: float | None = None
    model: Model = "random"
    screen: Screen = "syndrome"
    delay_unit: DelayUnit = "seconds"
    cores: int | None = None
    local: bool = True
    placed: bool = False

    def __post_init__(self) -> None:
        _shapes(self)
        for field, least in (("workers", 1), ("stragglers", 0), ("wrong", 0)):
            _count(field, getattr(self, field), least)
        if self.cores is not None:
            _count("cores", self.cores, 1)
        for field in ("tolerance", "memory_per_worker", "bandwidth"):
            _positive(field, getattr(self, field))
        for field, known in (("model", Model), ("screen", Screen), ("delay_unit", DelayUnit)):
            if getattr(self, field) not in get_args(known):
                names = " or ".join(map(repr, get_args(known)))
                raise InputError(f"`plan({field}={getattr(self, field)!r})` is unknown. Use {names}.")
        if not 0 <= self.stragglers < self.workers:
            raise InputError(
                f"`workers={self.workers}, stragglers={self.stragglers}` leaves no answer to decode from. "
                "Use more workers than stragglers, and no negative numbers."
            )
        if self.delays is not None and not callable(getattr(self.delays, "fate", None)):
            raise InputError(
                f"`plan(delays={self.delays!r})` is no fault model. Give one of `anyk.faults`, the name of a preset "
                "such as 'lambda', or a CSV file of delays."
            )
        if self.tolerance is not None and self.tolerance < self.noise:
            raise InputError(
                f"`plan(tolerance={self.tolerance:g}, dtype={self.dtype!r})` cannot be met: one product in this dtype "
                f"is off by {self.noise:.1g} already. Use a larger tolerance or a wider dtype."
            )

    @property
    def height(self) -> int:
        """Rows of A."""
        return self.shape_a[0]

    @property
    def depth(self) -> int:
        """Columns of A, rows of B."""
        return self.shape_a[1]

    @property
    def width(self) -> int:
        """Columns of B."""
        return self.shape_b[1]

    @property
    def noise(self) -> float:
        """Relative error of one product in this dtype."""
        return product_error(self.dtype)

    @property
    def itemsize(self) -> int:
        """Bytes of one number."""
        return 2 if self.dtype == "bfloat16" else np.dtype(self.dtype).itemsize

    @property
    def is_complex(self) -> bool:
        """The operands are complex already, so complex tables cost nothing extra."""
        return self.dtype != "bfloat16" and np.dtype(self.dtype).kind == "c"

    @property
    def extra(self) -> int:
        """Answers to await beyond the recovery threshold, so that the wrong ones can be told."""
        if self.screen == "checked" or not self.wrong:
            return self.wrong
        return self.wrong + 1 if self.model == "random" else 2 * self.wrong

    @property
    def most_needed(self) -> int:
        """The largest recovery threshold that leaves room for stragglers and wrong answers; perhaps below 1."""
        return self.workers - self.stragglers - self.extra

    @property
    def operations(self) -> float:
        """Real floating-point operations of the whole product."""
        return 2.0 * self.height * self.depth * self.width * (4 if self.is_complex else 1)


def dtype_name(dtype: DTypeLike) -> str:
    """The dtype products are computed in, by name.

    Raises:
        InputError: no dtype of numbers.

    >>> dtype_name("int32"), dtype_name(float)
    ('float64', 'float64')
    """
    if isinstance(dtype, str) and dtype == "bfloat16":
        return dtype
    try:
        given = np.dtype(dtype)
    except TypeError as problem:
        raise InputError(f"`plan(dtype={dtype!r})` is no dtype. Use 'float64' or 'float32'.") from problem
    if given.kind not in "fciub":
        raise InputError(f"`plan(dtype={dtype!r})` holds no numbers. Use 'float64' or 'float32'.")
    return str(given) if given.kind in "fc" else "float64"


def _shapes(request: Request) -> None:
    pairs = []
    for field in ("shape_a", "shape_b"):
        given: Any = getattr(request, field)
        try:
            sizes = tuple(given)
            right = len(sizes) == 2 and all(isinstance(size, Integral) and int(size) >= 1 for size in sizes)
        except TypeError:
            right = False
        if not right:
            raise InputError(f"`plan({field}={given!r})` needs a pair of sizes of at least 1, for example (2000, 800).")
        pairs.append((int(sizes[0]), int(sizes[1])))
        object.__setattr__(request, field, pairs[-1])
    if pairs[0][1] != pairs[1][0]:
        raise InputError(
            f"`plan({pairs[0]}, {pairs[1]})` cannot be multiplied: A has {pairs[0][1]} columns and B {pairs[1][0]} "
            "rows. Transpose one of the two."
        )


def _count(field: str, given: Any, least: int) -> None:
    if not isinstance(given, Integral) or isinstance(given, bool) or int(given) < least:
        if field in ("workers", "stragglers") and isinstance(given, Integral):
            return  # together: one message for both
        raise InputError(f"`plan({field}={given!r})` must be an integer of at least {least}.")


def _positive(field: str, given: Any) -> None:
    if given is not None and not (isinstance(given, Real) and 0 < float(given) < float("inf")):
        raise InputError(f"`plan({field}={given!r})` must be a positive number, or None for no limit.")
