"""The kit for one's own codes finds what is wrong with a code."""

from dataclasses import replace

import numpy as np
import pytest

import anyk
from anyk.code import Code
from anyk.errors import CodeError
from anyk.testing.codes import CodeContract

MATDOT = anyk.codes.matdot(inner=3, workers=8)
#: The same code without the shortcut of its positions.
PLAIN = replace(MATDOT, positions=None)


class Wrong(Code):
    """Some method of these lies; tables and thresholds are right."""

    def __reduce__(self):
        return Code.__reduce__(self)


class Optimistic(Wrong):
    def expected_error(self, survivors, dtype="float64"):
        return super().expected_error(survivors, dtype) / 2


class Pessimistic(Wrong):
    def expected_error(self, survivors, dtype="float64"):
        return 2 * super().expected_error(survivors, dtype)


class Deaf(Wrong):
    def noise_amplification(self, survivors):
        return 1.0


class Forgetful(Wrong):
    def encode(self, A, B):
        left, right = super().encode(A, B)
        left[0][-1, -1] = 0
        return left, right


class Cropping(Wrong):
    def encode(self, A, B):
        cut = self.partition
        a = np.asarray(A)[:, : max(1, A.shape[1] // cut.inner) * cut.inner]
        return super().encode(a, np.asarray(B)[: a.shape[1]])


class Narrow(Wrong):
    def encode(self, A, B):
        return tuple([block.astype("float32") for block in blocks] for blocks in super().encode(A, B))


class Curved(Wrong):
    def encode(self, A, B):
        left, right = super().encode(A, B)
        return [block + 1e-3 * block**2 for block in left], right


class Lossy(Wrong):
    def save(self, path):
        Code(self.name, self.partition, self.left.round(6), self.right, self.recovery_threshold).save(path)


class Untidy(Wrong):
    def save(self, path):
        super().save(path)
        path.with_suffix(".tmp").write_text("left over")


class Silent(Wrong):
    def describe(self):
        return "a code"


class Stuck(Wrong):
    def __reduce__(self):
        raise TypeError("cannot travel")


class Thawing(Wrong):
    def __reduce__(self):
        return object.__new__, (type(self),), {**vars(self), "left": self.left.copy()}


def made(kind, code=PLAIN):
    return kind(code.name, code.partition, code.left, code.right, code.recovery_threshold)


def softened():
    code = made(Code)
    object.__setattr__(code, "left", code.left.copy())
    return code


def coinciding():
    """Two workers at one point: sets with both of them know less than they should."""
    left, right = PLAIN.left.copy(), PLAIN.right.copy()
    left[..., 1], right[..., 1] = left[..., 0], right[..., 0]
    return replace(PLAIN, left=left, right=right)


def one_coefficient_off():
    left = PLAIN.left.copy()
    left[0, 1, 2] += 1e-3
    return replace(PLAIN, left=left)


def kit(make, **attributes):
    contract = type("TestCode", (CodeContract,), attributes)()
    contract.make = make
    return contract


def failures(contract):
    """Names of the kit's tests that a code fails."""
    failed = set()
    for name in [name for name in dir(contract) if name.startswith("test_")]:
        try:
            getattr(contract, name)()
        except (AssertionError, TypeError):
            failed.add(name)
    return failed


@pytest.mark.parametrize("code", [MATDOT, PLAIN], ids=["with positions", "without"])
def test_a_right_code_passes(code):
    assert not failures(kit(lambda: code))


@pytest.mark.parametrize(
    ("make", "test"),
    [
        (lambda: replace(PLAIN, recovery_threshold=4, exact_threshold=4), "test_any_threshold_many_answers_decode"),
        (lambda: replace(PLAIN, recovery_threshold=6, exact_threshold=6), "test_one_answer_fewer_does_not_decode"),
        (coinciding, "test_any_threshold_many_answers_decode"),
        (one_coefficient_off, "test_any_threshold_many_answers_decode"),
        (
            lambda: replace(PLAIN, recovery_threshold=4, exact_threshold=5, design_error=1e-6),
            "test_the_recovery_threshold_holds_the_design_error",
        ),
        (lambda: made(Forgetful), "test_random_products_are_recovered"),
        (lambda: made(Forgetful), "test_encoding_is_the_definition"),
        (lambda: made(Cropping), "test_every_shape_is_recovered"),
        (lambda: made(Curved), "test_badly_scaled_products_are_recovered"),
        (lambda: made(Curved), "test_encoding_is_linear"),
        (lambda: made(Narrow), "test_every_dtype_is_kept_and_recovered"),
        (lambda: made(Optimistic), "test_expected_error_is_the_mean_of_many_products"),
        (lambda: made(Pessimistic), "test_expected_error_is_the_mean_of_many_products"),
        (lambda: made(Deaf), "test_noise_amplification_is_the_mean_of_many_products"),
        (lambda: made(Silent), "test_the_description_names_the_thresholds"),
        (softened, "test_the_code_cannot_be_changed"),
        (lambda: made(Lossy), "test_a_saved_code_is_the_same_code"),
        (lambda: made(Untidy), "test_a_saved_code_is_the_same_code"),
        (lambda: made(Stuck), "test_the_code_travels_between_processes"),
        (lambda: made(Thawing), "test_the_code_travels_between_processes"),
    ],
)
def test_the_kit_finds_the_fault(make, test):
    with pytest.raises((AssertionError, TypeError)):
        getattr(kit(make), test)()


def test_smaller_sets_that_decode_must_be_declared():
    def make():
        return anyk.codes.replication(2, 1, 2, copies=2)

    assert failures(kit(make)) == {"test_one_answer_fewer_does_not_decode"}
    assert not failures(kit(make, smaller_sets_decode=True))


def test_positions_that_do_not_belong_to_the_tables_make_no_code():
    with pytest.raises(CodeError, match="not the trigonometric ones"):
        replace(one_coefficient_off(), positions=MATDOT.positions)


def test_make_must_be_given():
    with pytest.raises(NotImplementedError, match="override make"):
        CodeContract().make()
