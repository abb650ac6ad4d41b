"""Workers who answer wrongly again and again are known, and avoided, as long as they are not replaced."""

import numpy as np
import pytest

import anyk
from anyk.engines.suspicion import blame, distrusted
from anyk.faults import GaussianError
from anyk.job.messages import Compute

CODE = anyk.codes.matdot(2, 8)
A, B = np.random.default_rng(0).standard_normal((2, 40, 40))


def asked(product):
    """Who was sent something."""
    return {said.worker for step in product.events for said in step.instructions if isinstance(said, Compute)}


def right(product):
    return np.linalg.norm(product.value - A @ B) < 1e-12 * np.linalg.norm(A @ B)


@pytest.mark.parametrize("name", ["inline:8", "simulated:8", pytest.param("processes:8", marks=pytest.mark.cluster)])
@pytest.mark.parametrize("screen", ["checked", "syndrome"])
def test_who_is_wrong_in_two_products_gets_no_work_in_the_third(name, screen):
    with anyk.engines.open(name, faults=GaussianError(ranks=(1,))) as engine:
        products = [
            anyk.matmul(A, B, CODE, engine=engine, wrong=1, screen=screen, stop=anyk.everyone) for _ in range(3)
        ]
        record = anyk.engines.suspicions(engine)

    assert [product.wrong for product in products] == [(1,), (1,), ()]
    assert [product.distrusted for product in products] == [(), (1,), (1,)]
    assert record == {1: 2}
    assert "worker 1 answered wrongly in several products" in products[2].reason
    assert asked(products[0]) == {*range(8)}
    assert asked(products[2]) == {0, 2, 3, 4, 5, 6, 7}
    assert all(right(product) for product in products)


def test_a_product_in_bands_counts_once():
    with anyk.engines.open("inline:8", faults=GaussianError(ranks=(1,))) as engine:
        product = anyk.matmul(A, B, CODE, engine=engine, wrong=1, bands=4)

        assert product.wrong == (1,)
        assert anyk.engines.suspicions(engine) == {1: 1}


def test_a_stray_error_is_forgiven_and_unscreened_products_accuse_nobody():
    with anyk.engines.open("inline:8", faults=GaussianError(ranks=(1,), rounds=(0,))) as engine:
        for _ in range(3):
            product = anyk.matmul(A, B, CODE, engine=engine, wrong=1)
        assert (product.distrusted, anyk.engines.suspicions(engine)) == ((), {1: 1})
    with anyk.engines.open("inline:8", faults=GaussianError(ranks=(1,))) as engine:
        with pytest.warns(anyk.PrecisionWarning):
            anyk.matmul(A, B, CODE, engine=engine)
        assert anyk.engines.suspicions(engine) == {}


def test_whoever_replaces_a_distrusted_worker_begins_with_a_clean_record():
    with anyk.engines.open("inline:3") as engine:
        for _ in range(2):
            blame(engine, [(1, engine.lanes[1].epoch)])
        assert distrusted(engine) == {1}

        engine.respawn(1)
        assert (distrusted(engine), anyk.engines.suspicions(engine)) == (frozenset(), {})


def test_a_failed_product_accuses_too():
    with anyk.engines.open("inline:8", faults=GaussianError(ranks=(0, 1, 2, 3, 4, 5))) as engine:
        for _ in range(2):
            with pytest.raises(anyk.ClusterError):
                anyk.matmul(A, B, CODE, engine=engine, wrong=5, retries=0)

        assert distrusted(engine) == {0, 1, 2, 3, 4, 5}
        # The two who are left do all the work.
        product = anyk.matmul(A, B, CODE, engine=engine, wrong=1)
    assert asked(product) == {6, 7}
    assert right(product)


def test_where_nobody_is_trusted_everybody_works():
    with anyk.engines.open("inline:8") as engine:
        for _ in range(2):
            blame(engine, [(rank, engine.lanes[rank].epoch) for rank in range(8)])
        product = anyk.matmul(A, B, CODE, engine=engine, wrong=1)

    assert asked(product) == {*range(8)}
    assert product.distrusted == (0, 1, 2, 3, 4, 5, 6, 7)
