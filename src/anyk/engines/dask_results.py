"""Blocks that an engine's actors formed, as an array of Dask's own: nothing passes through the master."""

import asyncio
import uuid
from collections.abc import Sequence
from typing import Any

import numpy as np

from anyk.engines.base import WorkerLost
from anyk.engines.remote import RemoteLane


def as_dask_array(
    client: Any, engine: Any, names: Sequence[Sequence[tuple[RemoteLane, str, tuple[int, int]]]], dtype: np.dtype[Any]
) -> Any:
    """A Dask array over blocks that stay where they are.

    Args:
        client: whose the blocks will be; as long as it knows the array the cluster keeps them.
        engine: whose lanes formed them.
        names: the blocks row by row: lane, name and shape.
        dtype: of the blocks.

    Raises:
        WorkerLost: a worker was lost meanwhile.
    """
    import dask.array

    # The actors are known to the engine's client, the results belong to the caller's.
    published = [[engine.wait_for(_published(lane, key)) for lane, key, _ in row] for row in names]
    futures = [[_adopted(client, *place) for place in row] for row in published]
    return dask.array.block(
        [
            [dask.array.from_delayed(each, shape, dtype=dtype) for each, (_, _, shape) in zip(row, known, strict=True)]
            for row, known in zip(futures, names, strict=True)
        ]
    )


async def _published(lane: RemoteLane, key: str) -> tuple[str, str, int]:
    """Let a worker keep a block as its data: the block's name, the worker's address, and bytes."""
    name, post = f"anyk-block-{uuid.uuid4().hex}", lane.post
    if post is None:
        raise WorkerLost(lane.rank, lane.epoch, lane.cause)
    address, _ = post.way(key, post)
    try:
        return name, address, await post.publish(key, name)
    except Exception as error:  # whatever way the worker or the network failed
        raise WorkerLost(lane.rank, lane.epoch, f"it could not keep a block: {error!r}") from error


def _adopted(client: Any, name: str, address: str, size: int) -> Any:
    """A future of the caller's client for data that a worker has."""

    async def adopt() -> Any:
        import distributed

        await client.scheduler.update_data(who_has={name: [address]}, nbytes={name: size}, client=client.id)
        future = distributed.Future(name, client)
        client.futures[name].finish(type=np.ndarray)
        return future

    return asyncio.run_coroutine_threadsafe(adopt(), client.loop.asyncio_loop).result(60)
