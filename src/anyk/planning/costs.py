"""What work costs: a few speeds of a machine and an engine, from which every predicted time is made."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from numbers import Real
from types import MappingProxyType

from anyk.errors import InputError

#: Time of one real operation, in units of a float64 one.
OPERATION_TIME: Mapping[str, float] = MappingProxyType(
    {"float64": 1.0, "complex128": 1.0} | dict.fromkeys(("float32", "float16", "bfloat16", "complex64"), 0.5)
)


@dataclass(frozen=True)
class CostModel:
    """Speeds and fixed costs of a cluster; operations are real ones in float64.

    The defaults are round numbers of one server core and of the ``processes`` engine; `anyk.planning.calibrate`
    measures them on the machine at hand.

    Args:
        worker_operations: operations per second of one worker in large matrix products.
        machine_operations: operations per second of this machine, all cores, for a product that is not distributed.
        coding_operations: operations per second while blocks or answers are combined: thin products, on one core.
        encode_bytes: bytes per second read and written while encoding.
        decode_bytes: bytes per second read and written while decoding.
        check_bytes: bytes per second of operands and product while probes measure the error.
        worker_bytes: bytes per second of the blocks that a worker reads and writes.
        task_seconds: seconds of the master for each task: sending it and taking its answer.
        product_seconds: seconds of the master for each product: all that does not grow.
        source: where the numbers come from.

    Raises:
        InputError: a number that is not positive and finite.

    >>> CostModel(worker_operations=5e10).worker_operations
    50000000000.0
    """

    worker_operations: float = 4e10
    machine_operations: float = 1.6e11
    coding_operations: float = 1.6e10
    encode_bytes: float = 1e10
    decode_bytes: float = 1.6e10
    check_bytes: float = 1e10
    worker_bytes: float = 1e10
    task_seconds: float = 3e-4
    product_seconds: float = 2e-3
    source: str = "round numbers, not calibrated"

    def __post_init__(self) -> None:
        for field in fields(self):
            given = getattr(self, field.name)
            if field.name == "source":
                continue
            if not isinstance(given, Real) or isinstance(given, bool) or not 0 < float(given) < float("inf"):
                raise InputError(f"`CostModel({field.name}={given!r})` must be a positive, finite number.")
