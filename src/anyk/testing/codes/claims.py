"""What a code says of itself is so."""

import numpy as np
from scipy import stats

from anyk.code import Code
from anyk.testing.codes.kit import Array, Kit, new_rng, normal
from anyk.weights import product_error, survivor_sets


class Claims(Kit):
    """Expected errors are those of many products, and the description names what counts."""

    def test_expected_error_is_the_mean_of_many_products(self) -> None:
        """Answers with a relative error of lambda give products that err as expected, in the mean square."""
        code = self.make()
        noise = product_error("float32")
        for results in {max(1, code.recovery_threshold - 1), code.recovery_threshold, code.workers}:
            tasks = survivor_sets(code.workers, results, 1, new_rng())[0]
            weights, _ = code.solve(tasks, "float32")
            squares = self._squares(code, tasks, weights, noise, signal=True)
            self._agree(squares, code.expected_error(tasks, "float32"), f"expected_error({tasks.tolist()})")

    def test_noise_amplification_is_the_mean_of_many_products(self) -> None:
        """Relative error out per relative error in."""
        code = self.make()
        tasks = survivor_sets(code.workers, code.recovery_threshold, 1, new_rng())[0]
        weights, _ = code.solve(tasks)
        squares = self._squares(code, tasks, weights, 1.0, signal=False)
        self._agree(squares, code.noise_amplification(tasks), f"noise_amplification({tasks.tolist()})")

    def test_the_description_names_the_thresholds(self) -> None:
        """A person reads how many answers are needed, of how many, and whether the blocks are complex."""
        code = self.make()
        text = code.describe()
        exact = str(code.exact_threshold) if code.exact_threshold <= code.workers else "none"
        for needed in (code.name, str(code.recovery_threshold), exact, str(code.workers)):
            assert needed in text, f"describe() does not mention {needed}:\n{text}"
        assert ("complex" in text) == code.is_complex

    def _squares(self, code: Code, tasks: Array, weights: Array, noise: float, *, signal: bool) -> Array:
        """Squared relative errors of products of random blocks, from answers that carry Gaussian noise."""
        rng, cut, size = new_rng(), code.partition, 4
        dtype = "complex128" if code.is_complex else "float64"
        A = normal(rng, (self.trials, cut.rows, cut.inner, size, size), dtype)
        B = normal(rng, (self.trials, cut.inner, cut.cols, size, size), dtype)
        answers = np.einsum("tijxz,ijw->twxz", A, code.left[..., tasks]) @ np.einsum(
            "tjlzy,jlw->twzy", B, code.right[..., tasks]
        )
        norms = np.linalg.norm(code.left, axis=(0, 1)) * np.linalg.norm(code.right, axis=(0, 1)) * np.sqrt(size)
        errors = noise * norms[tasks, None, None] * normal(rng, answers.shape, dtype)
        wrong = np.einsum("cw,twxy->tcxy", weights, answers + errors if signal else errors)
        if signal:
            wrong = wrong - np.einsum("tijxz,tjlzy->tilxy", A, B).reshape(wrong.shape)
        mean_square_of_product = cut.products * size**3
        squares: Array = (abs(wrong) ** 2).sum(axis=(1, 2, 3)) / mean_square_of_product
        return squares

    def _agree(self, squares: Array, claimed: float, what: str) -> None:
        """Student's t: is the mean of the squares the square of what the code claims?"""
        spread = stats.sem(squares) * stats.t.ppf((1 + self.confidence) / 2, len(squares) - 1)
        low, high = np.sqrt(max(0.0, squares.mean() - spread)), np.sqrt(squares.mean() + spread)
        assert low <= claimed <= high, f"{what} is {claimed:.3e}, products say {low:.3e} to {high:.3e}"
