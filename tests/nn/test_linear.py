"""A coded layer is a linear layer: same products, same gradients, same weights."""

import copy
import pickle

import pytest
import torch
from torch import nn

from anyk.errors import InputError, Uncorrectable
from anyk.nn import CodedLinear, TrainingCode, VirtualNodes, generalized_polydot, product_mds, replication, uncoded
from tests.nn.hitting import Hitting

CODES = [
    generalized_polydot(2, 2, nodes=8),
    generalized_polydot(2, 3, nodes=11, mirrored=True),
    product_mds(2, 2, nodes=12),
    replication(2, 2, nodes=8),
    uncoded(3, 2),
    generalized_polydot(1, 1, nodes=1),
]


def pair(
    code: TrainingCode, inputs: int, outputs: int, dtype: torch.dtype = torch.float64
) -> tuple[nn.Linear, CodedLinear]:
    torch.manual_seed(0)
    plain = nn.Linear(inputs, outputs, dtype=dtype)
    return plain, CodedLinear.from_linear(plain, code, VirtualNodes(code.nodes))


@pytest.mark.parametrize("code", CODES, ids=repr)
@pytest.mark.parametrize("sizes", [(8, 12), (7, 5), (1, 1), (5, 1)], ids=str)
@pytest.mark.parametrize("batch", [(1,), (3,), (2, 4), ()], ids=str)
def test_a_coded_layer_gives_the_products_and_gradients_of_a_linear_one(
    code: TrainingCode, sizes: tuple[int, int], batch: tuple[int, ...]
) -> None:
    plain, coded = pair(code, *sizes)
    x = torch.randn(*batch, sizes[0], dtype=torch.float64, requires_grad=True)
    y = torch.randn(*batch, sizes[1], dtype=torch.float64)

    (expected,) = torch.autograd.grad((plain(x) * y).sum(), x)
    (found,) = torch.autograd.grad((coded(x) * y).sum(), x)

    assert torch.allclose(coded(x), plain(x), rtol=1e-12, atol=1e-12)
    assert torch.allclose(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("code", CODES, ids=repr)
def test_the_gradient_of_the_blocks_is_the_encoding_of_the_gradient(code: TrainingCode) -> None:
    plain, coded = pair(code, 7, 5)
    x, y = torch.randn(3, 7, dtype=torch.float64), torch.randn(3, 5, dtype=torch.float64)
    for layer in (plain, coded):
        (layer(x) * y).sum().backward()

    assert plain.weight.grad is not None
    assert torch.allclose(coded.coded.grad, coded.encoded(plain.weight.grad), rtol=1e-13, atol=1e-13)
    assert torch.allclose(coded.bias.grad, plain.bias.grad.expand(code.nodes, -1), rtol=1e-13)


def test_gradients_pass_through_a_chain_of_coded_layers() -> None:
    code = generalized_polydot(2, 2, nodes=8)
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3)).double()
    nodes = VirtualNodes(8)
    coded = nn.Sequential(
        CodedLinear.from_linear(plain[0], code, nodes), nn.Tanh(), CodedLinear.from_linear(plain[2], code, nodes)
    )
    x = torch.randn(5, 6, dtype=torch.float64)
    for net in (plain, coded):
        net(x).square().sum().backward()

    assert torch.allclose(coded[0].coded.grad, coded[0].encoded(plain[0].weight.grad), rtol=1e-12, atol=1e-12)


def test_the_decoded_weight_is_the_one_that_was_encoded() -> None:
    for code in CODES:
        plain, coded = pair(code, 7, 5, torch.float32)

        assert torch.allclose(coded.weight, plain.weight, rtol=1e-5, atol=1e-6)


def test_the_same_seed_starts_from_the_same_weights_as_torch() -> None:
    code = generalized_polydot(2, 2, nodes=8)
    torch.manual_seed(5)
    plain = nn.Linear(6, 4)
    torch.manual_seed(5)
    coded = CodedLinear(6, 4, code, VirtualNodes(8))

    assert torch.allclose(coded.weight, plain.weight, atol=1e-6)


def test_a_copy_of_a_layer_trains_on_its_own() -> None:
    _, coded = pair(generalized_polydot(2, 2, nodes=8), 6, 4)
    for twin in (copy.deepcopy(coded), pickle.loads(pickle.dumps(coded))):
        assert twin.coded.layer is twin
        with torch.no_grad():
            twin.coded.mul_(2)
        assert torch.allclose(twin.weight, 2 * coded.weight)


def test_a_wrong_stored_block_is_rebuilt_the_moment_it_is_noticed() -> None:
    code = generalized_polydot(2, 2, nodes=10)
    nodes = Hitting(10, {})
    layer = CodedLinear(8, 6, code, nodes, dtype=torch.float64)
    before = layer.coded.detach().clone()
    with torch.no_grad():
        layer.coded[3, 0, 0] += 0.5
        layer.coded[7] = float("nan")
    x = torch.randn(4, 8, dtype=torch.float64)

    layer(x)

    assert torch.allclose(layer.coded, before, rtol=1e-12, atol=1e-12)
    assert nodes.health.counts["regenerated"] == 2
    assert nodes.health.counts["located"] == 2


def test_more_wrong_blocks_than_can_be_located_are_declared() -> None:
    layer = CodedLinear(8, 6, generalized_polydot(2, 2, nodes=8), VirtualNodes(8), dtype=torch.float64)
    with torch.no_grad():
        layer.coded[:4] += torch.randn_like(layer.coded[:4])

    with pytest.raises(Uncorrectable, match="stored blocks"):
        layer(torch.randn(4, 8, dtype=torch.float64))


def test_a_second_attempt_saves_a_product_with_too_many_passing_errors() -> None:
    for attempts, fails in ((1, True), (2, False)):
        nodes = Hitting(8, {"product": [0, 1, 2, 3]}, times=1, attempts=attempts)
        layer = CodedLinear(8, 6, generalized_polydot(2, 2, nodes=8), nodes, dtype=torch.float64)
        x = torch.randn(4, 8, dtype=torch.float64)
        if fails:
            with pytest.raises(Uncorrectable, match="forward"):
                layer(x)
        else:
            nodes.left["product"] = 0
            expected = layer(x)
            nodes.left["product"] = 1
            assert torch.allclose(layer(x), expected)


def test_a_node_that_is_always_wrong_is_evicted_and_training_goes_on() -> None:
    nodes = Hitting(10, {"product": [4]})
    nodes.health._evict_after = 3
    layer = CodedLinear(8, 6, generalized_polydot(2, 2, nodes=10), nodes, dtype=torch.float64)
    x = torch.randn(4, 8, dtype=torch.float64)
    results = [layer(x) for _ in range(6)]

    assert all(torch.allclose(result, results[0]) for result in results)
    assert not nodes.health.active[4]
    assert nodes.health.counts["located"] == 3
    assert nodes.health.active.sum() == 9


def test_eviction_stops_at_the_number_that_screening_needs() -> None:
    nodes = Hitting(9, {"product": [1]})
    nodes.health._evict_after = 1
    layer = CodedLinear(8, 6, generalized_polydot(2, 2, nodes=9), nodes, dtype=torch.float64)
    for wrong in range(9):
        nodes.hits = {"product": [wrong]}
        layer(torch.randn(4, 8, dtype=torch.float64))

    assert nodes.health.active.sum() == 8


def test_products_in_bfloat16_keep_the_stored_weights_in_float32() -> None:
    torch.manual_seed(0)
    code = generalized_polydot(2, 2, nodes=8)
    plain = nn.Linear(64, 48)
    layer = CodedLinear.from_linear(plain, code, VirtualNodes(8), products=torch.bfloat16)
    x = torch.randn(16, 64)
    error = torch.linalg.norm(layer(x) - plain(x)) / torch.linalg.norm(plain(x))

    assert layer.coded.dtype == torch.float32
    assert 1e-4 < error < 2e-2
    assert not layer.collective.health.counts["located"]


def test_bad_input_is_refused_with_the_rule() -> None:
    code = generalized_polydot(2, 2, nodes=8)
    with pytest.raises(InputError, match="8 nodes and the collective has 6"):
        CodedLinear(4, 4, code, VirtualNodes(6))
    with pytest.raises(InputError, match="in_features"):
        CodedLinear(0, 4, code, VirtualNodes(8))
    with pytest.raises(InputError, match="model"):
        CodedLinear(4, 4, code, VirtualNodes(8), model="optimistic")  # type: ignore[arg-type]
    layer = CodedLinear(4, 4, code, VirtualNodes(8))
    with pytest.raises(InputError, match="inputs of shape"):
        layer(torch.zeros(2, 5))
    with pytest.raises(InputError, match="float64 inputs"):
        layer(torch.zeros(2, 4, dtype=torch.float64))
    with pytest.raises(InputError, match="nodes"):
        VirtualNodes(0)


def test_a_product_of_just_enough_answers_is_declared_not_believed_unchecked() -> None:
    nodes = VirtualNodes(8)
    layer = CodedLinear(8, 6, generalized_polydot(2, 2, nodes=8), nodes, dtype=torch.float64)
    nodes.health.active[5:] = False  # 5 are left, as many as decode

    with pytest.raises(Uncorrectable, match="only more of them can be checked"):
        layer(torch.randn(4, 8, dtype=torch.float64))
