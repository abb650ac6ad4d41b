"""Training codes: thresholds, tolerances, and what is refused."""

from itertools import combinations

import numpy as np
import pytest

from anyk.errors import CodeError
from anyk.nn import generalized_polydot, grid, product_mds, replication, uncoded
from anyk.nn.codes import STRATEGIES, TrainingCode

GRIDS = [(1, 2), (2, 1), (2, 2), (3, 2), (2, 3), (3, 3), (2, 4)]


def products(code: TrainingCode, survivors: list[int]) -> tuple[float, float]:
    """Relative errors of W x and W^T delta, computed with real blocks and decoded from some nodes' results."""
    rng = np.random.default_rng(0)
    pieces = rng.standard_normal((code.rows, code.inner, 5, 4))
    stored = code.encode(pieces)
    x, delta = rng.standard_normal((code.inner, 4, 3)), rng.standard_normal((code.rows, 5, 3))
    forward = np.einsum("whk,jw,jkb->whb", stored, code.forward.inputs, x)
    backward = np.einsum("whk,iw,ihb->wkb", stored, code.backward.inputs, delta)
    errors = []
    for stage, answers, truth in (
        (code.forward, forward, np.einsum("ijhk,jkb->ihb", pieces, x)),
        (code.backward, backward, np.einsum("ijhk,ihb->jkb", pieces, delta)),
    ):
        tasks = [task for task, nodes in enumerate(stage.members) if set(nodes) <= set(survivors)]
        weights, _ = stage.code.solve(tasks)
        sums = np.stack([answers[list(stage.members[task])].sum(axis=0) for task in tasks])
        errors.append(float(np.linalg.norm(np.tensordot(weights, sums, 1) - truth) / np.linalg.norm(truth)))
    return errors[0], errors[1]


@pytest.mark.parametrize("cut", GRIDS, ids=str)
@pytest.mark.parametrize("mirrored", [False, True])
def test_generalized_polydot_has_the_thresholds_of_the_papers(cut: tuple[int, int], mirrored: bool) -> None:
    m, n = cut
    code = generalized_polydot(m, n, nodes=3 * m * n + 2, mirrored=mirrored)
    thresholds = code.forward.code.recovery_threshold, code.backward.code.recovery_threshold

    assert thresholds == ((2 * m * n - m, m * n + m - 1) if mirrored else (m * n + n - 1, 2 * m * n - n))


@pytest.mark.parametrize("cut", GRIDS, ids=str)
def test_any_threshold_of_nodes_decodes_both_products_and_one_fewer_does_not(cut: tuple[int, int]) -> None:
    m, n = cut
    code = generalized_polydot(m, n, nodes=2 * m * n + 1)
    forward, backward = code.forward.code.recovery_threshold, code.backward.code.recovery_threshold
    rng = np.random.default_rng(1)
    sets = [sorted(rng.permutation(code.nodes)[:forward].tolist()) for _ in range(20)]
    longer = [sorted(rng.permutation(code.nodes)[:backward].tolist()) for _ in range(20)]

    assert max(products(code, each)[0] for each in sets) < 1e-10
    assert max(products(code, each)[1] for each in longer) < 1e-10
    assert min(products(code, each[:-1])[0] for each in sets) > 1e-3


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_computes_both_products_from_all_nodes(name: str) -> None:
    code = STRATEGIES[name](2, 3, {"mds": 16, "uncoded": 6}.get(name, 12))

    assert max(products(code, list(range(code.nodes)))) < 1e-12


def test_any_stored_threshold_of_blocks_determines_the_matrix() -> None:
    for code in (generalized_polydot(2, 2, nodes=8), product_mds(2, 2, nodes=12), replication(2, 2, nodes=12)):
        storage = code.storage
        sets = list(combinations(range(code.nodes), code.stored))

        assert max(storage.expected_error(each) for each in sets) < 1e-11


def test_tolerances_are_those_of_the_table() -> None:
    table = {
        (2, 2, 8): ((1, 1), (2, 1)),
        (2, 2, 10): ((2, 2), (4, 3)),
        (2, 2, 12): ((3, 3), (6, 5)),
        (3, 3, 27): ((8, 6), (15, 11)),
        (2, 8, 48): ((12, 12), (24, 23)),
    }
    for (m, n, nodes), (adversarial, random) in table.items():
        code = generalized_polydot(m, n, nodes, dtype="float64")
        for model, expected in (("adversarial", adversarial), ("random", random)):
            tolerance = code.tolerance(model)
            assert (tolerance.forward, tolerance.backward) == expected
    for code, random in ((product_mds(4, 4, 48), 3), (replication(4, 4, 48), 1), (replication(2, 2, 8), 0)):
        assert code.tolerance().forward == random


def test_the_best_grid_has_the_lowest_larger_threshold() -> None:
    for blocks in range(1, 25):
        m, n = grid(blocks)
        largest = max(m * n + n - 1, 2 * m * n - n)

        assert m * n == blocks
        for rows in range(1, blocks + 1):
            if blocks % rows == 0:
                inner = blocks // rows
                assert largest <= max(blocks + inner - 1, 2 * blocks - inner)


def test_too_few_nodes_are_refused_with_the_number_that_would_do() -> None:
    with pytest.raises(CodeError, match="Use 6 or more nodes"):
        generalized_polydot(2, 2, nodes=5)
    with pytest.raises(CodeError, match="Use 12 nodes"):
        product_mds(2, 2, nodes=13)
    with pytest.raises(CodeError, match="multiple of 4"):
        replication(2, 2, nodes=10)
    with pytest.raises(CodeError, match="one node a block"):
        uncoded(2, 2, nodes=5)
    with pytest.raises(CodeError, match="basis"):
        generalized_polydot(2, 2, nodes=8, basis="chebychev")
    with pytest.raises(CodeError, match="integer"):
        generalized_polydot(2.0, 2, nodes=8)  # type: ignore[arg-type]
