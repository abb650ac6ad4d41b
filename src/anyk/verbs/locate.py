"""Who answered wrongly? From the answers alone, whoever computed them."""

from collections.abc import Mapping

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike

from anyk.code import Code
from anyk.screening import Located, Model
from anyk.screening import locate as _locate
from anyk.verbs.given import answers_given


def locate(
    code: Code,
    results: Mapping[int, ArrayLike],
    *,
    model: Model = "random",
    noise: float | None = None,
    rng: Generator | int | None = None,
) -> Located:
    """Which tasks' answers are wrong, as far as the answers alone can tell.

    The code's parity checks vanish on right answers, whatever the matrices. What they make of wrong ones tells who is
    wrong: with ``"random"`` errors up to P - K - 1 of P answers (K: the recovery threshold), each one certified; with
    ``"adversarial"`` ones up to (P - K) / 2, whatever they say. More are declared a failure.

    Args:
        code: the code whose `Code.encode` made the blocks.
        results: task -> its answer ``encoded A @ encoded B``; all of one shape (height, width). NaN and infinities are
            wrong answers.
        model: ``"random"``: errors are independent of one another (machines that fail); ``"adversarial"``: they may
            have one cause, or conspire.
        noise: relative error of one right answer, where it is more than rounding: blocks stored in lower precision, or
            drifted by many updates; or products that nearly cancel, where the inner dimension is not cut: then
            ``1.5 * eps * |A| |B| / (|A B| sqrt(depth))``, in Frobenius norms. Default: rounding in the answers' dtype.
        rng: generator or seed of the random fingerprints; default: fresh randomness, which nobody can foresee.

    Returns:
        The tasks, whether that is certified, and why.

    Raises:
        InputError: no answers, unknown tasks, answers of different shapes, an unknown model.

    >>> import numpy as np, anyk
    >>> code = anyk.codes.matdot(inner=2, workers=6)
    >>> a, b = code.encode(np.eye(8), np.eye(8))
    >>> results = {w: a[w] @ b[w] for w in range(6)}
    >>> results[4] = results[4] + 1.0
    >>> located = anyk.locate(code, results)
    >>> located.wrong, located.certified
    ((4,), True)
    """
    return _locate(code, answers_given("locate", code, results), model, np.random.default_rng(rng), noise=noise)
