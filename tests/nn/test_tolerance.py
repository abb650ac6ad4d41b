"""As many wrong nodes as promised are always corrected; one more is always declared, never believed."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from anyk.errors import Uncorrectable
from anyk.nn import CodedLinear, TrainingCode, generalized_polydot, product_mds, replication
from tests.nn.hitting import Hitting

CODES = [
    generalized_polydot(2, 2, nodes=8),
    generalized_polydot(2, 2, nodes=12),
    generalized_polydot(1, 3, nodes=9),
    generalized_polydot(3, 1, nodes=9),
    generalized_polydot(2, 3, nodes=14),
    generalized_polydot(2, 4, nodes=20),
    generalized_polydot(3, 3, nodes=20),
    generalized_polydot(2, 2, nodes=10, mirrored=True),
]
TRIALS = 8


def outcome(code: TrainingCode, phase: str, wrong: list[int], model: str, common: bool, seed: int) -> str:
    """What one product with wrong answers gives: "right", "declared" or "wrong"."""
    torch.manual_seed(seed)
    collective = Hitting(code.nodes, {}, common=common, seed=seed)
    layer = CodedLinear(7, 9, code, collective, model=model, dtype=torch.float64)  # type: ignore[arg-type]
    x = torch.randn(4, 7, dtype=torch.float64, requires_grad=True)
    grad = torch.randn(4, 9, dtype=torch.float64)
    weight = layer.weight
    collective.hits = {"product": wrong}
    collective.left["product"] = 10**9
    try:
        if phase == "forward":
            found, truth = layer(x), x @ weight.T + layer.bias[0]
        else:
            collective.left["product"] = 0
            out = layer(x)
            collective.left["product"] = 1
            (found,) = torch.autograd.grad(out, x, grad)
            truth = grad @ weight
    except Uncorrectable:
        return "declared"
    return "right" if torch.allclose(found, truth, rtol=1e-9, atol=1e-9) else "wrong"


@pytest.mark.parametrize("code", CODES, ids=repr)
@pytest.mark.parametrize("phase", ["forward", "backward"])
@pytest.mark.parametrize("model", ["random", "adversarial"])
def test_the_promised_number_is_corrected_and_one_more_is_declared(code: TrainingCode, phase: str, model: str) -> None:
    promised = getattr(code.tolerance(model), phase)  # type: ignore[arg-type]
    rng = np.random.default_rng(0)
    for trial in range(TRIALS):
        order = rng.permutation(code.nodes).tolist()
        for wrong in {1, promised} if promised else set():
            common = model == "adversarial"
            assert outcome(code, phase, sorted(order[:wrong]), model, common, trial) == "right"
        if model == "random":
            assert outcome(code, phase, sorted(order[: promised + 1]), model, False, trial) == "declared"
        else:
            assert outcome(code, phase, sorted(order[: promised + 1]), model, False, trial) != "wrong"


@pytest.mark.parametrize("phase", ["forward", "backward"])
def test_the_strategies_of_comparison_keep_their_smaller_promises(phase: str) -> None:
    for code, promised in (
        (product_mds(2, 2, nodes=12), 1),
        (replication(2, 2, nodes=12), 1),
        (replication(2, 2, nodes=8), 0),
    ):
        for first in range(code.nodes):
            if promised:
                assert outcome(code, phase, [first], "random", False, first) == "right"
            for second in range(first):
                assert outcome(code, phase, [second, first], "random", False, first) != "wrong"


def test_gains_over_replication_and_product_codes_grow_without_bound() -> None:
    gains = []
    for side in (2, 4, 6, 8):
        m, n = side, side
        nodes = 3 * m * n
        coded = generalized_polydot(m, n, nodes, dtype="float64").tolerance().backward
        # the largest product code and replication with at most as many nodes
        parity = (nodes - m * n) // (m + n)
        product = product_mds(m, n, m * n + parity * (m + n)).tolerance().backward
        gains.append((coded / replication(m, n, nodes).tolerance().backward, coded / product))

    assert all(later[0] > 1.5 * earlier[0] for earlier, later in pairwise(gains))
    assert all(later[1] > earlier[1] for earlier, later in pairwise(gains[1:]))
