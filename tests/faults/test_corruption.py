"""Wrong answers: what each model does to one, and to nothing else."""

import numpy as np
import pytest

from anyk.errors import InputError
from anyk.faults import (
    BitFlip,
    Crash,
    Draw,
    Fate,
    GaussianError,
    LowRank,
    NonFinite,
    PaperError,
    Scaled,
    Stale,
    StuckBit,
    SwappedBlocks,
    Zeros,
    combine,
)

DRAW = Draw(seed=1, round=0, rank=2)
DTYPES = [np.float16, np.float32, np.float64, np.complex64, np.complex128]


def spoil(model, answer, last=None, draw=DRAW):
    for corruption in model.fate(draw).corrupt:
        answer = corruption(answer, last)
    return answer


def an_answer(dtype=np.float64, shape=(40, 30)):
    answer = np.random.default_rng(0).standard_normal((2, *shape))
    return (answer[0] + 1j * answer[1]).astype(dtype) if np.dtype(dtype).kind == "c" else answer[0].astype(dtype)


def different(wrong, right):
    bits = f"u{right.real.dtype.itemsize}"
    kind = right.real.dtype
    return np.count_nonzero(wrong.view(kind).view(bits) ^ right.view(kind).view(bits))


def test_the_named_are_hit_in_the_named_rounds_and_others_never():
    model = Zeros(ranks=(1, 3), rounds=(0, 2))
    wrong = [[bool(model.fate(Draw(0, round, rank)).corrupt) for rank in range(4)] for round in range(3)]

    assert wrong == [[False, True, False, True], [False] * 4, [False, True, False, True]]


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_single_bit_can_be_flipped(dtype):
    right = an_answer(dtype)
    for bit in range(8 * right.real.dtype.itemsize):
        wrong = spoil(BitFlip(bits=(bit,), places=(7,), ranks=(2,)), right)
        words = f"u{right.real.dtype.itemsize}"

        changed = wrong.view(right.real.dtype).view(words).ravel() ^ right.view(right.real.dtype).view(words).ravel()
        assert np.flatnonzero(changed).tolist() == [7]
        assert changed[7] == 1 << bit


@pytest.mark.parametrize("dtype", DTYPES)
def test_random_flips_hit_as_many_numbers_and_bits_as_asked(dtype):
    right = an_answer(dtype)
    kind, words = right.real.dtype, f"u{right.real.dtype.itemsize}"
    wrong = spoil(BitFlip(flips=3, numbers=5, ranks=(2,)), right)

    changed = wrong.view(kind).view(words) ^ right.view(kind).view(words)
    assert sorted(int(each).bit_count() for each in changed.ravel() if each) == [3] * 5


def test_what_an_answer_does_not_have_cannot_be_flipped():
    with pytest.raises(InputError, match=r"bits=\(64,\).*0 … 63"):
        spoil(BitFlip(bits=(64,), ranks=(2,)), an_answer())
    with pytest.raises(InputError, match=r"places=\(4,\).*0 … 3"):
        spoil(BitFlip(places=(4,), ranks=(2,)), an_answer(shape=(2, 2)))


def test_a_stuck_bit_is_stuck_everywhere():
    right = an_answer()
    for value, sign in ((1, -1), (0, 1)):
        assert (np.sign(spoil(StuckBit(bit=63, value=value, ranks=(2,)), right)) == sign).all()


def test_noise_has_its_size_and_share():
    right = 100 * an_answer()
    wrong = spoil(GaussianError(size=0.01, share=0.1, ranks=(2,)), right)

    assert np.count_nonzero(wrong != right) == 120
    assert np.std((wrong - right)[wrong != right]) == pytest.approx(1.0, rel=0.3)


def test_the_published_errors():
    wrong = spoil(PaperError(ranks=(2,)), np.zeros((40, 50)))

    assert np.count_nonzero(wrong) == 10
    assert 2.5 < abs(wrong).max() < 5


def test_values_of_every_other_kind():
    right = an_answer()
    assert (spoil(Scaled(factor=3.0, ranks=(2,)), right) == 3 * right).all()
    assert not spoil(Zeros(ranks=(2,)), right).any()
    assert np.isnan(spoil(NonFinite(ranks=(2,)), right)).sum() == 1
    assert (spoil(NonFinite("-inf", 1.0, ranks=(2,)), right) == -np.inf).all()


def test_bands_change_places():
    right = an_answer(shape=(7, 3))
    wrong = spoil(SwappedBlocks(bands=3, ranks=(2,)), right)

    assert sorted(wrong.sum(axis=1)) == sorted(right.sum(axis=1))
    assert np.count_nonzero((wrong != right).any(axis=1)) == 4
    assert (wrong[6] == right[6]).all()


def test_a_stale_answer_is_the_last_one_or_nothing():
    right, last = an_answer(), an_answer() + 1
    model = Stale(ranks=(2,))

    assert (spoil(model, right, last) == last).all()
    assert not spoil(model, right, None).any()
    assert not spoil(model, right, last[:3]).any()
    assert (spoil(model, right, last, Draw(1, 0, 3)) == right).all()
    assert all(corruption.remembers for corruption in model.fate(Draw(1, 0, 3)).corrupt)


def test_errors_with_one_cause_depend_on_one_another_within_a_round():
    right = an_answer()
    model = LowRank(rank=2, ranks=range(6))
    errors = [[spoil(model, right, None, Draw(0, at, rank)) - right for rank in range(6)] for at in range(2)]

    assert np.linalg.matrix_rank(np.reshape(errors[0], (6, -1)), tol=1e-9) == 2
    assert np.linalg.matrix_rank(np.reshape(errors, (12, -1)), tol=1e-9) == 4


def test_members_of_a_combination_spoil_one_after_the_other():
    right = an_answer()
    both = combine(Scaled(factor=2.0, ranks=(2,)), NonFinite(ranks=(2,)), Crash(ranks=(1,)))

    wrong = spoil(both, right)
    assert np.isnan(wrong).sum() == 1
    assert (wrong[~np.isnan(wrong)] == 2 * right[~np.isnan(wrong)]).all()
    assert both.fate(Draw(1, 0, 1)) == Fate(end="crash")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: BitFlip(bits=(-1,)), "bits must be"),
        (lambda: BitFlip(flips=0), "flips must be"),
        (lambda: StuckBit(value=2), "0 or 1"),
        (lambda: GaussianError(size=-1.0), "size must be"),
        (lambda: PaperError(share=2.0), "share must be"),
        (lambda: NonFinite("null"), "'nan', 'inf' or '-inf'"),
        (lambda: SwappedBlocks(bands=1), "bands must be"),
        (lambda: LowRank(rank=0), "rank must be"),
        (lambda: Zeros(probability=2.0), "probability must be"),
    ],
)
def test_impossible_fields_are_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_an_empty_answer_has_nothing_to_spoil():
    assert spoil(GaussianError(ranks=(2,)), np.empty((0, 3))).shape == (0, 3)
