"""What each draft costs by its counts alone: operations, memory, traffic, and the time of every phase but waiting.

A complex code for real matrices pays its true price: twice the memory and traffic, four times the operations.
"""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from anyk.planning.costs import OPERATION_TIME, CostModel
from anyk.planning.drafts import KINDS, Drafts
from anyk.planning.kinds import REPLICATION, Ints
from anyk.planning.request import Request

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Counts:
    """Columns beside those of `Drafts`; bytes, operations and seconds.

    Args:
        awaited: answers until the product is formed; with copies: expected, if answers come in any order.
        operations: real floating-point operations of one task.
        memory: bytes of one worker's two coded blocks and its answer.
        upload: bytes of all coded blocks.
        download: bytes of the awaited answers.
        encode_seconds: of the master.
        decode_seconds: of the master.
        check_seconds: of the master, measuring the error.
        task_seconds: of one undisturbed worker.
        send_seconds: of the link, for one task's blocks.
        fetch_seconds: of the link, for one answer.
        fixed_seconds: of the master: per task and per product.
    """

    awaited: Floats
    operations: Floats
    memory: Floats
    upload: Floats
    download: Floats
    encode_seconds: Floats
    decode_seconds: Floats
    check_seconds: Floats
    task_seconds: Floats
    send_seconds: Floats
    fetch_seconds: Floats
    fixed_seconds: Floats

    def take(self, which: Ints) -> "Counts":
        """Some rows."""
        return Counts(*(getattr(self, field.name)[which] for field in fields(self)))


def counted(drafts: Drafts, request: Request, costs: CostModel) -> Counts:
    """Everything that follows from shapes and speeds."""
    size, fold = _folds(drafts, request)
    tall, deep, wide = (
        -(-length // parts).astype(float)
        for length, parts in (
            (request.height, drafts.rows),
            (request.depth, drafts.inner),
            (request.width, drafts.cols),
        )
    )
    of_a, of_b, answer = size * tall * deep, size * deep * wide, size * tall * wide
    # A matrix that lives on the workers was encoded and sent before, and what its products are probed with was kept.
    sent = of_b if request.placed else of_a + of_b
    wanted = request.height * request.width
    entries = request.depth * request.width + (0 if request.placed else request.height * request.depth)
    operands, product = float(request.itemsize * entries), float(request.itemsize * wanted)
    awaited, workers = _awaited(drafts, request), drafts.workers.astype(float)
    plain = (2 if request.is_complex else 1) * size / request.itemsize
    operations = 2 * tall * deep * wide * fold
    time = OPERATION_TIME.get(request.dtype, 1.0)
    link = 0.0 if request.bandwidth is None else 1 / request.bandwidth
    return Counts(
        awaited=awaited,
        operations=operations,
        memory=of_a + of_b + answer,
        upload=workers * sent,
        download=awaited * answer,
        encode_seconds=(operands + workers * sent) / costs.encode_bytes
        + 2 * workers * entries * plain * time / costs.coding_operations,
        decode_seconds=(awaited * answer + product) / costs.decode_bytes
        + 2 * awaited * wanted * plain * time / costs.coding_operations,
        check_seconds=np.full(len(drafts), (operands + 2 * product) / costs.check_bytes),
        task_seconds=operations * time / costs.worker_operations + (of_a + of_b + answer) / costs.worker_bytes,
        send_seconds=sent * link,
        fetch_seconds=answer * link,
        fixed_seconds=costs.product_seconds + workers * costs.task_seconds,
    )


def _folds(drafts: Drafts, request: Request) -> tuple[Floats, Floats]:
    """Bytes of one number in a coded block, and real operations per multiplication and addition of two numbers."""
    complex_kinds = np.array([kind.is_complex for kind in KINDS])[drafts.kind]
    becomes_complex = complex_kinds & (not request.is_complex)
    size = np.where(becomes_complex, 2.0, 1.0) * request.itemsize
    return size, np.where(becomes_complex | request.is_complex, 4.0, 1.0)


def _awaited(drafts: Drafts, request: Request) -> Floats:
    r"""Answers until enough are there.

    With c copies of N products that answer in random order, the last product's first copy is answer number
    $(cN + 1)(1 - \Gamma(N + 1)\Gamma(1 + 1/c) / \Gamma(N + 1 + 1/c))$ on average: the largest of N least of c.
    """
    awaited = (drafts.needed + request.extra).astype(float)
    copied = drafts.kind == KINDS.index(REPLICATION)
    count, part = drafts.needed.astype(float), 1 / drafts.copies
    missing = np.exp(log_gamma(count + 1) + log_gamma(1 + part) - log_gamma(count + 1 + part))
    firsts = np.minimum(drafts.workers, (drafts.workers + 1) * (1 - missing) + request.extra)
    return np.where(copied, firsts, awaited)


def log_gamma(x: Floats) -> Floats:
    r"""$\ln \Gamma(x)$ of positive numbers, by Stirling's series seven places up.

    >>> bool(np.allclose(log_gamma(np.array([1.0, 2.0, 5.0])), np.log([1, 1, 24]), atol=1e-12))
    True
    """
    far = x + 7
    tail = np.polynomial.polynomial.polyval(far**-2, (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188)) / far
    skipped = np.prod(x[..., None] + np.arange(7), axis=-1)
    return np.asarray((far - 0.5) * np.log(far) - far + 0.5 * np.log(2 * np.pi) + tail - np.log(skipped))
