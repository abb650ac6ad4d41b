"""A code in a few lines, for a person."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from anyk.code.value import Code


def described(code: "Code") -> str:
    """Thresholds, storage, traffic, conditioning."""
    cut, spare = code.partition, code.workers - code.recovery_threshold
    kind = "complex (twice the memory, 3 to 4 times the work)" if code.is_complex else "real"
    never = code.exact_threshold > code.workers
    rounding = "none to rounding" if never else f"any {code.exact_threshold} to rounding"
    within = "" if code.is_exact else f" to {code.design_error:.1e}, {rounding}"
    blocks = f"1/{cut.rows * cut.inner} of A, 1/{cut.inner * cut.cols} of B, 1/{cut.products} of the product's work"
    back = f"1/{cut.wanted} of C; {code.recovery_threshold} of them are {code.recovery_threshold / cut.wanted:.3g} C"
    random, adversarial = (
        code.wrong_answers_correctable(code.workers, model="random"),
        code.wrong_answers_correctable(code.workers, model="adversarial"),
    )
    lines = [
        f"{code.name}: any {code.recovery_threshold} of {code.workers} answers give the product{within}",
        f"  partition    {cut} (rows x inner x cols), {kind} tables",
        f"  one worker   {blocks}",
        f"  one answer   {back}",
        f"  all work     {code.workers / cut.products:.3g} times the uncoded product",
        f"  may be lost  {spare}; located when wrong: {random} random, {adversarial} adversarial",
    ]
    return "\n".join(lines + [f"  {line}" for line in _errors(code)])


def _errors(code: "Code") -> list[str]:
    lines = [f"{'expected relative error':<24}{'median':>10}{'worst':>10}"]
    for dtype in ("float64", "float32"):
        errors = code.errors(code.recovery_threshold, dtype, sets=100)
        lines.append(f"  {dtype}, any {code.recovery_threshold:<9}{np.median(errors):>10.0e}{errors.max():>10.0e}")
    return lines
