"""Products awaited: together, with the loop going on, and cancelled."""

import asyncio

import numpy as np
import pytest

import anyk
from anyk.engines.work import nap
from anyk.errors import InputError
from anyk.faults import ShiftedExponential

CODE = anyk.codes.matdot(2, workers=6)
SLOW = ShiftedExponential(shift=1.0, scale=0.01, unit_seconds=3600.0)


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    return rng.standard_normal((40, 30)), rng.standard_normal((30, 20))


@pytest.mark.parametrize("engine", ["futures:6", pytest.param("processes:6", marks=pytest.mark.cluster)])
def test_several_products_are_awaited_together(pair, engine):
    A, B = pair

    async def together():
        with anyk.engines.open(engine) as opened:
            return await asyncio.gather(*(anyk.amatmul(n * A, B, CODE, engine=opened) for n in range(1, 9)))

    for n, product in enumerate(asyncio.run(together()), 1):
        np.testing.assert_allclose(product.value, n * (A @ B), atol=1e-10)


def test_the_event_loop_goes_on_meanwhile(pair):
    async def ticking():
        with anyk.engines.open(
            "futures:6", faults=ShiftedExponential(shift=1.0, scale=0.01, unit_seconds=0.2)
        ) as opened:
            product, ticks = asyncio.ensure_future(anyk.amatmul(*pair, CODE, engine=opened)), 0
            while not product.done():
                await asyncio.sleep(0.005)
                ticks += 1
            return ticks

    assert asyncio.run(ticking()) >= 3


@pytest.mark.parametrize("engine", ["futures:6", pytest.param("processes:6", marks=pytest.mark.cluster)])
def test_a_cancelled_product_frees_its_workers(pair, engine):
    async def cancelled():
        with anyk.engines.open(engine, faults=SLOW) as opened:
            seen = []
            task = asyncio.ensure_future(anyk.amatmul(*pair, CODE, engine=opened, watch=seen.append))
            while not seen:
                await asyncio.sleep(0.005)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            pending = [future for lane in opened.lanes for future in lane.pending()]
            while not all(future.done() for future in pending):
                await asyncio.sleep(0.005)
            return True

    assert asyncio.run(cancelled())  # although each task takes an hour


def test_a_time_limit_of_asyncios_works(pair):
    async def limited():
        with anyk.engines.open("futures:6", faults=SLOW) as opened:
            await asyncio.wait_for(anyk.amatmul(*pair, CODE, engine=opened), 0.2)

    with pytest.raises(TimeoutError):
        asyncio.run(limited())


def test_errors_come_as_from_matmul(pair):
    A, _ = pair
    with pytest.raises(InputError, match="must agree"):
        asyncio.run(anyk.amatmul(A, A, CODE, engine="inline"))


def test_an_engine_is_as_good_as_before_after_a_cancel(pair):
    async def again():
        with anyk.engines.open("futures:6") as opened:
            blocked = [lane.submit(nap, 60.0) for lane in opened.lanes]
            task = asyncio.ensure_future(anyk.amatmul(*pair, CODE, engine=opened))
            await asyncio.sleep(0.05)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            for lane, future in zip(opened.lanes, blocked, strict=True):
                lane.cancel(future)
            return await anyk.amatmul(*pair, CODE, engine=opened)

    np.testing.assert_allclose(asyncio.run(again()).value, pair[0] @ pair[1], atol=1e-10)
