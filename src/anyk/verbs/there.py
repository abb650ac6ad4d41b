"""Decoding where the answers lie: what is asked of the workers, what is believed, and when the answers come here."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anyk.arrays import times_few
from anyk.code import Code
from anyk.decoding import Weights
from anyk.engines.base import Engine
from anyk.errors import InputError
from anyk.job import StopRule, everyone, first_threshold
from anyk.verbs.afar import Afar
from anyk.verbs.kept import Kept, Unformed
from anyk.verbs.reduction import Reduction
from anyk.verbs.screen import Screen, Screening

Array = NDArray[Any]

#: Fewer bytes of answers are not worth the rounds.
WORTH_BYTES = 1 << 23


def answer_bytes(code: Code, shape: tuple[int, int], dtype: np.dtype[Any]) -> int:
    """Bytes of one answer for a product of this shape and dtype."""
    height, width = code.partition.result_block(shape)
    return height * width * code.coded_dtype(dtype).itemsize


def answers_stay(
    call: str,
    engine: Engine,
    code: Code,
    answer_bytes: int,
    stop: StopRule,
    *,
    wish: bool | None,
    result: str,
    plain: bool,
    asked: Screening | None,
) -> bool:
    """Whether answers stay with the workers, who form the product of them.

    Args:
        call: the verb, for messages.
        engine: where.
        code: of the answers.
        answer_bytes: of one answer.
        stop: when enough has come back.
        wish: as the caller wants it; None: where it spares the master most of the bytes.
        result: ``"array"``, or the name of an engine that keeps the product.
        plain: the weights follow from the tables alone.
        asked: how wrong answers are found, or None.

    Raises:
        InputError: it is wanted, and cannot be.
    """
    can = getattr(engine.caps, "exchange", False)
    is_known = plain and (isinstance(stop, first_threshold) or stop is everyone)
    is_checkable = asked is None or (asked.kind == "checked" and code.is_exact)
    if result != "array" and not (engine.name == result and hasattr(engine, "hand_over")):
        raise InputError(
            f"`{call}(result={result!r})` leaves the product on a cluster of that kind, 'dask' or 'ray'; the engine is "
            f"{engine.name!r}. Use engine={result!r}, or result='array'."
        )
    wanted = wish or result != "array"
    if wanted and not can and not engine.caps.shared_memory:
        raise InputError(f"`{call}(reduce=True)`: workers of the {engine.name!r} engine cannot reach each other.")
    if wanted and can and not (is_known and is_checkable):
        raise InputError(
            f"`{call}(reduce=True)`: the answers themselves are needed here, for what is asked of them: an approximate "
            f"code's fit, a stop rule that weighs errors, or screen={asked.kind if asked else None!r}. Use an exact "
            "code, stop=first_threshold() or everyone, and screen='checked'."
        )
    if wanted or wish is False or not (can and is_known and is_checkable):
        return bool(wanted and can)
    blocks, answers = code.partition.rows * code.partition.cols, code.recovery_threshold
    is_free = code.workers <= len(engine.lanes)  # else lanes still work on other tasks when it is their turn to add up
    return is_free and answers >= 2 * blocks and (answers - blocks) * answer_bytes >= WORTH_BYTES


def strange(screen: Screen, kept: Kept, tasks: Sequence[int]) -> tuple[int, ...] | None:
    """The wrong answers: those whose fingerprints, formed where they lie, look wrong are brought here and checked.

    Raises:
        Gone: some are lost.
    """
    named = screen.fingerprints.strange(kept, tasks) if screen.fingerprints else tasks
    return screen.suspects(kept.brought(named)) if named else ()


def formed_there(
    kept: Kept, weights: Weights, screen: Screen | None, place: Callable[[], Array]
) -> Array | Afar | None:
    """The product as the workers form it, here or where it is to stay; None: they cannot, or it is wrong.

    Args:
        kept: the answers.
        weights: of those to use.
        screen: says whether it is right, or None.
        place: where a product goes that is brought here.

    Raises:
        Gone: some answers are lost.
    """
    try:
        if kept.library:
            product: Array | Afar = Reduction(kept).form_there(weights)
        else:
            product = place()
            Reduction(kept).form(weights, product)
        if screen is None or screen.accepts(kept.asking(weights.survivors, image_of(product)), weights):
            return product
    except Unformed:
        pass
    return None


def image_of(product: Array | Afar) -> Callable[[Array], Array]:
    """The product times some columns."""
    if isinstance(product, Afar):
        return product.through
    with np.errstate(all="ignore"):
        return partial(times_few, product)


def error_of(gauge: Any, product: Array | Afar) -> float:
    """The measured error of a product, wherever it is.

    Args:
        gauge: of products; of those elsewhere a `Probe`, or a `LazyGauge`.
        product: shape (height, width).

    Raises:
        Exception: a worker that has some of it is lost.
    """
    if isinstance(product, Afar):
        error: float = gauge.error_seen(product.through(gauge.columns), product.rows)
    else:
        error = gauge.error(product)
    return error
