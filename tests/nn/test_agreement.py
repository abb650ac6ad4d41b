"""What most nodes hold: bit by bit where they agree, in the middle where they have rounded differently."""

import numpy as np
import torch

from anyk.nn.agreement import majority

EVERYBODY = np.ones(5, dtype=bool)


def test_what_more_than_half_hold_counts_even_where_it_is_no_number() -> None:
    copies = torch.tensor([[9.0], [float("nan")], [1.0], [float("nan")], [float("nan")]])

    assert majority(copies, EVERYBODY) == (1, [0, 2])


def test_copies_that_differ_by_rounding_do_not_make_a_wrong_one_the_commonest() -> None:
    copies = torch.tensor([[50.0], [1.0], [1.0 + 1e-6], [1.0 - 1e-6], [1.0 + 2e-6]])
    chosen, others = majority(copies, EVERYBODY)

    assert abs(float(copies[chosen]) - 1.0) < 1e-5
    assert others == [node for node in range(5) if node != chosen]


def test_two_alike_wrong_ones_are_no_majority_of_five() -> None:
    copies = torch.tensor([[50.0], [50.0], [1.0 + 1e-6], [1.0 - 1e-6], [1.0 + 2e-6]])

    assert abs(float(copies[majority(copies, EVERYBODY)[0]]) - 1.0) < 1e-5


def test_nodes_that_do_not_count_do_not_vote() -> None:
    active = np.array([False, False, True, True, False])

    assert majority(torch.tensor([[3.0], [3.0], [1.0], [1.0], [3.0]]), active) == (2, [0, 1, 4])
