"""Errors hit whom they should, as often as they should, the same for the same seed."""

import numpy as np
import pytest
import torch

from anyk.errors import InputError
from anyk.faults import Zeros
from anyk.nn import STEPS, SoftErrors


def test_the_rate_is_the_share_of_copies_hit() -> None:
    errors = SoftErrors(0.1, rng=0)
    hits = sum(len(errors.strike("product", torch.ones(10, 3), range(10))[1]) for _ in range(500))

    assert abs(hits - 500) < 5 * np.sqrt(500 * 0.9)
    assert errors.injected == hits


def test_a_hit_changes_the_copy_of_that_node_alone() -> None:
    for step in STEPS:
        errors, copies = SoftErrors(0.3, rng=4), torch.ones(20, 5)
        struck, hit = errors.strike(step, copies, range(100, 120))
        changed = (struck != 1).any(dim=1).nonzero().flatten().tolist()

        assert [100 + place for place in changed] == hit
        assert torch.equal(copies, torch.ones(20, 5)) is (step not in ("stored", "update"))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("kind", ["gaussian", "bitflip", "paper", Zeros()], ids=str)
def test_every_kind_works_on_every_precision(dtype: torch.dtype, kind: str) -> None:
    struck, _ = SoftErrors(1.0, kind=kind, rng=1).strike("product", torch.ones(3, 50, dtype=dtype), range(3))

    assert struck.dtype == dtype
    assert all(bool((copy != 1).any()) for copy in struck)


def test_a_bit_flip_changes_one_number() -> None:
    struck, _ = SoftErrors(1.0, kind="bitflip", rng=1).strike("product", torch.ones(6, 50), range(6))

    assert ((struck != 1).sum(dim=1) == 1).all()


def test_steps_that_are_not_named_are_left_alone() -> None:
    errors = SoftErrors(1.0, steps=["encode", "decode"], rng=0)

    assert errors.strike("product", torch.ones(4, 2), range(4))[1] == []
    assert errors.strike("decode", torch.ones(4, 2), range(4))[1] == [0, 1, 2, 3]


def test_bad_settings_are_refused() -> None:
    with pytest.raises(InputError, match="probability"):
        SoftErrors(1.5)
    with pytest.raises(InputError, match="no such step"):
        SoftErrors(0.1, steps=["thinking"])
    with pytest.raises(InputError, match="unknown"):
        SoftErrors(0.1, kind="cosmic")
