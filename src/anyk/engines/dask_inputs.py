"""Dask arrays as operands: the cluster computes their chunks, and each worker encodes its own blocks of them."""

import asyncio
import threading
from collections.abc import Sequence
from concurrent.futures import wait
from typing import Any

import numpy as np

from anyk.engines.base import Array, Unreachable
from anyk.engines.work import LOOK_SECONDS, checkpoint

#: A coefficient, the name of a chunk, and the workers that have it.
Term = tuple[complex, Any, Sequence[str]]

#: The Dask worker of an actor's thread.
here = threading.local()


class Chunks:
    """The blocks of a Dask array, kept by the cluster for as long as this is.

    Args:
        client: whose they are.
        array: of two dimensions.
        block: shape of a block; the last ones may be smaller.
    """

    def __init__(self, client: Any, array: Any, block: tuple[int, int]) -> None:
        self._client = client
        self._array = client.persist(array.rechunk(block))
        self._names = self._array.__dask_keys__()

    def terms(self, coefficients: Array) -> list[Term]:
        """What a worker needs to know of one combination of the blocks, as they lie now; waits until they are there.

        Args:
            coefficients: shape (a, b); blocks beyond the array's edge are zero, and left out.
        """
        import distributed

        futures = distributed.futures_of(self._array, client=self._client)
        for future in futures:
            future.exception()  # waits; what went wrong is told where the chunk is asked for
        where = {str(future.key): [*places] for future, places in zip(futures, self._places(futures), strict=True)}
        return [
            (coefficients[i, j].item(), name, where[str(name)])
            for i, row in enumerate(self._names)
            for j, name in enumerate(row)
            if coefficients[i, j] != 0
        ]

    def _places(self, futures: Sequence[Any]) -> list[Sequence[str]]:
        known = self._client.who_has(futures)
        return [known[future.key] for future in futures]


def encoded_there(terms: Sequence[Term], shape: tuple[int, int], dtype: Any) -> Array:
    """On an actor: the sum of some chunks, each times its coefficient; one of them at a time is here.

    Args:
        terms: what to add up.
        shape: of the encoded block; chunks at the edges may be smaller.
        dtype: of the encoded block.

    Raises:
        Unreachable: a chunk is not where it was.
        Cancelled: not wanted any more.
    """
    total = np.zeros(shape, dtype)
    for coefficient, name, places in terms:
        checkpoint()
        chunk = np.asarray(_chunk(here.worker, name, places))
        total[: chunk.shape[0], : chunk.shape[1]] += coefficient * chunk
    return total


def _chunk(worker: Any, name: Any, places: Sequence[str]) -> Any:
    from distributed.utils_comm import gather_from_workers

    if name in worker.data:
        return worker.data[name]
    asked = asyncio.run_coroutine_threadsafe(
        gather_from_workers({name: [*places]}, rpc=worker.rpc, who=worker.address), worker.loop.asyncio_loop
    )
    while not wait([asked], LOOK_SECONDS).done:
        try:
            checkpoint()
        except BaseException:
            asked.cancel()
            raise
    data, *_ = asked.result()
    if name not in data:
        raise Unreachable(f"chunk {name} is not with {places} any more")
    return data[name]
