"""Every bit of a number flipped once: the answer is thrown out, or the flip is below rounding."""

import numpy as np
import pytest

import anyk
from anyk.faults import BitFlip, Draw
from anyk.screening.thresholds import loudest_clean
from anyk.weights import product_error
from tests.screening.words import clean

CODE = anyk.codes.mds(4, 8)
VICTIM, PLACE = 5, 37


@pytest.mark.parametrize(("dtype", "bits"), [("float64", 64), ("float32", 32)])
def test_every_bit_is_corrected_or_below_rounding(dtype, bits):
    rng = np.random.default_rng(0)
    answers = clean(CODE, rng, dtype)
    right = answers[VICTIM]
    product = anyk.decode(CODE, answers).value.astype(float)
    usual = np.sqrt(np.mean([np.mean(answer.astype(float) ** 2) for answer in answers.values()]))
    # one entry e shows as at least e |h_w| / 2 in units of lambda, times a row of fingerprints of sqrt(2 width) entries
    checks = np.linalg.norm(CODE.parity_checks(range(8))[VICTIM])
    limit = loudest_clean(4, 16 * 3) * product_error(dtype) * usual * np.sqrt(2.2 * 16) / (checks / 2)
    corrected = 0

    for bit in range(bits):
        flip = BitFlip(bits=(bit,), places=(PLACE,), ranks=(VICTIM,)).fate(Draw(0, 0, VICTIM)).corrupt[0]
        wrong = flip(right, None)
        change = abs(float(wrong.flat[PLACE]) - float(right.flat[PLACE]))

        located = anyk.locate(CODE, answers | {VICTIM: wrong}, rng=rng)

        assert located.certified
        assert located.wrong in ((), (VICTIM,))
        if located.wrong:
            corrected += 1
            continue
        assert change < limit, f"bit {bit}: {change} is not below rounding"
        spoilt = anyk.decode(CODE, answers | {VICTIM: wrong}).value.astype(float)
        assert np.linalg.norm(spoilt - product) < 20 * product_error(dtype) * np.linalg.norm(product)

    # the sign, the exponents that matter, and the upper bits of the mantissa
    assert corrected >= {"float64": 45, "float32": 16}[dtype]
