"""`matmul` for asyncio: the event loop goes on meanwhile, and a cancelled product is really cancelled."""

import asyncio
import threading
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

from numpy.typing import ArrayLike

from anyk.code import Code
from anyk.engines.drive import Watch
from anyk.engines.interrupt import Interrupt
from anyk.verbs.matmul import matmul
from anyk.verbs.product import Product


async def amatmul(
    A: ArrayLike, B: ArrayLike, code: Code | None = None, *, watch: Watch | None = None, **settings: Any
) -> Product:
    """The product of two matrices, recovered from the first sufficient answers, awaited.

    It is computed by `matmul` in a thread of its own: any number may be under way at once, on one engine too.
    Cancelling the task that awaits it cancels what workers still do for it, frees its buffers, and then raises.

    Args:
        A: matrix or vector.
        B: matrix or vector.
        code: how to encode.
        watch: called with each step, in the product's thread.
        **settings: as for `matmul`.

    Raises:
        AnykError: as `matmul`.
        asyncio.CancelledError: the task was cancelled.

    >>> import asyncio, numpy as np, anyk
    >>> A = np.arange(6).reshape(2, 3)
    >>> asyncio.run(anyk.amatmul(A, A.T, anyk.codes.matdot(2, 4), engine="inline")).value.tolist()
    [[5, 14], [14, 50]]
    """
    interrupt, future = Interrupt(watch), Future[Product]()

    def multiply() -> None:
        try:
            future.set_result(matmul(A, B, code, watch=interrupt, **settings))
        except BaseException as error:
            future.set_exception(error)

    thread = threading.Thread(target=multiply, name="anyk-product", daemon=True)
    thread.start()
    product = asyncio.wrap_future(future)
    try:
        return await asyncio.shield(product)
    except asyncio.CancelledError:
        interrupt.now(asyncio.CancelledError("the product was cancelled"))
        with suppress(Exception, asyncio.CancelledError):
            await product
        raise
