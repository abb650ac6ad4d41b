"""What every code must do, as tests to run on your own.

Derive a class whose name starts with ``Test``, say how to make the code, and let pytest find it::

    class TestParity(CodeContract):
        def make(self):
            return parity(rows=4)

No tolerance is tuned. Whether a set decodes is asked of the tables: what is missing must be less (more) than what
rounding costs. A decoded product may miss its *expected* error e by the factor that Markov's inequality allows on
squares, P(error > t e) < 1 / t^2; the expected error itself is compared with the mean of many products by Student's t.
A correct code fails a test once in a million, a wrong one by orders of magnitude.
"""

import pickle
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import FrozenInstanceError
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import DTypeLike, NDArray
from scipy import stats

from anyk.code import Code
from anyk.verbs.decode import decode
from anyk.weights import product_error, survivor_sets

Array = NDArray[Any]
Sizes = tuple[int, int, int]

DTYPES = ("float32", "float64", "complex64", "complex128")


class CodeContract:
    """The contract of a code; derive from it and override ``make``."""

    #: Smaller sets than the threshold usually decode, by design (replication): then it is the worst case that counts.
    smaller_sets_decode: bool = False
    #: Probability that a correct code passes one statistical test.
    confidence: float = 1 - 1e-6
    #: Survivor sets asked of the tables (all, where there are no more), and multiplied out.
    sets: int = 1000
    multiplied_sets: int = 8
    #: Products behind the mean of a statistical test.
    trials: int = 400

    def make(self) -> Code:
        """A code to test; called often, equal each time."""
        raise NotImplementedError("override make() to return the code under test")

    # --- thresholds ---------------------------------------------------------------------------------------------------

    def test_any_threshold_many_answers_decode(self) -> None:
        """From the exact threshold on, what a set cannot know is less than rounding costs anyway."""
        code = self.make()
        if code.exact_threshold > code.workers:
            return
        for tasks in survivor_sets(code.workers, code.exact_threshold, self.sets, _rng()):
            residual, rounding = _parts(code, tasks)
            assert residual <= rounding, (
                f"tasks {tasks.tolist()} do not decode: {residual:.1e} is missing, rounding costs {rounding:.1e}. "
                f"Is the exact threshold {code.exact_threshold} too small?"
            )

    def test_the_recovery_threshold_holds_the_design_error(self) -> None:
        """A job takes sets up to twice the design error for decoded; most sets must be."""
        code = self.make()
        if not code.is_exact:
            error = float(np.median(code.errors(code.recovery_threshold, sets=self.sets, rng=_rng())))
            assert error <= 2 * code.design_error, f"the median set errs by {error:.1e}, not {code.design_error:.1e}"

    def test_one_answer_fewer_does_not_decode(self) -> None:
        """The threshold is the least: most sets one smaller fail, or some where smaller sets decode by design."""
        code = self.make()
        if not code.is_exact:
            error = float(np.median(code.errors(code.recovery_threshold - 1, sets=self.sets, rng=_rng())))
            assert error > 2 * code.design_error, (
                f"{code.recovery_threshold - 1} answers already err by {error:.1e} only"
            )
        if code.exact_threshold == 1 or code.exact_threshold > code.workers:
            return
        parts = [
            _parts(code, tasks) for tasks in survivor_sets(code.workers, code.exact_threshold - 1, self.sets, _rng())
        ]
        fail = np.mean([residual > rounding for residual, rounding in parts])
        assert fail > (0 if self.smaller_sets_decode else 0.5), (
            f"{1 - fail:.0%} of the sets of {code.exact_threshold - 1} tasks decode. Is the exact threshold "
            f"{code.exact_threshold} too large? If they should decode, declare smaller_sets_decode = True."
        )

    # --- products -----------------------------------------------------------------------------------------------------

    def test_random_products_are_recovered(self) -> None:
        """From any threshold-many answers, within what the expected error of that set allows."""
        code, rng = self.make(), _rng()
        A, B = _random(rng, (24, 36), "float64"), _random(rng, (36, 30), "float64")
        exact = _wide(A) @ _wide(B)
        for tasks in self._some_sets(code):
            self._check(code, A, B, tasks, exact, float(np.linalg.norm(exact)))

    def test_badly_scaled_products_are_recovered(self) -> None:
        """Rows and columns of twelve decades: the error is small beside |A| |B|, as everywhere in linear algebra."""
        code, rng = self.make(), _rng()
        A, B = (
            _decades(rng, (height, 1)) * _random(rng, (height, width), "float64") * _decades(rng, (1, width))
            for height, width in ((24, 36), (36, 30))
        )
        # Independent blocks, whatever their sizes: E|AB - C|^2 <= e^2 (rows inner cols) |A|^2 |B|^2.
        size = np.sqrt(code.partition.products) * np.linalg.norm(A) * np.linalg.norm(B)
        for tasks in self._some_sets(code):
            self._check(code, A, B, tasks, _wide(A) @ _wide(B), float(size))

    def test_every_shape_is_recovered(self) -> None:
        """Sizes that do not divide, that are smaller than the partition, and single rows and columns."""
        code, rng = self.make(), _rng()
        for height, depth, width in _awkward(code):
            A, B = _random(rng, (height, depth), "float64"), _random(rng, (depth, width), "float64")
            size = np.sqrt(code.partition.products) * np.linalg.norm(A) * np.linalg.norm(B)
            for tasks in self._some_sets(code)[-2:]:
                self._check(code, A, B, tasks, _wide(A) @ _wide(B), float(size))

    def test_every_dtype_is_kept_and_recovered(self) -> None:
        """Single and double precision, real and complex; a complex code makes complex blocks of the same precision."""
        code, rng = self.make(), _rng()
        tasks = self._some_sets(code)[0]
        for dtype in DTYPES:
            A, B = _random(rng, (24, 36), dtype), _random(rng, (36, 30), dtype)
            coded = {block.dtype for blocks in code.encode(A, B) for block in blocks}
            assert coded == {code.coded_dtype(dtype)}, f"blocks of {dtype} matrices became {coded}"
            assert np.finfo(code.coded_dtype(dtype)).eps == np.finfo(dtype).eps, f"{dtype} changed its precision"
            exact = _wide(A) @ _wide(B)
            self._check(code, A, B, tasks, exact, float(np.linalg.norm(exact)))

    # --- encoding -----------------------------------------------------------------------------------------------------

    def test_encoding_is_the_definition(self) -> None:
        """Every coded block is the sum of coefficients times blocks, edges padded by zeros."""
        code, rng = self.make(), _rng()
        for height, depth, width in _awkward(code):
            A, B = _random(rng, (height, depth), "float64"), _random(rng, (depth, width), "float64")
            left, right = code.encode(A, B)
            cut = code.partition
            for blocks, matrix, table, shape in (
                (left, A, code.left, cut.left_block(A.shape)),
                (right, B, code.right, cut.right_block(B.shape)),
            ):
                for task, block in enumerate(blocks):
                    expected, bound = _encoded(table[..., task], matrix, shape)
                    assert block.shape == shape, f"a block of {matrix.shape} has shape {block.shape}, not {shape}"
                    assert (abs(block - expected) <= bound).all(), f"task {task}: a block is not what the tables say"

    def test_encoding_is_linear(self) -> None:
        """Blocks of a sum are the sums of blocks, which is what lets coded data stay coded."""
        code, rng = self.make(), _rng()
        first, second = ((_random(rng, (24, 36), "float64"), _random(rng, (36, 30), "float64")) for _ in range(2))
        total = first[0] - 3 * second[0], first[1] - 3 * second[1]
        coded = [code.encode(A, B) for A, B in (first, second, total)]
        for side, table in enumerate((code.left, code.right)):
            for task, (one, other, both) in enumerate(zip(*(blocks[side] for blocks in coded), strict=True)):
                size = _encoded(abs(table[..., task]), abs(first[side]) + 3 * abs(second[side]), one.shape)[1]
                assert (abs(one - 3 * other - both) <= 2 * size).all(), f"task {task}: encoding is not linear"

    # --- what a code says of itself -----------------------------------------------------------------------------------

    def test_expected_error_is_the_mean_of_many_products(self) -> None:
        """Answers with a relative error of lambda give products that err as expected, in the mean square."""
        code = self.make()
        noise = product_error("float32")
        for results in {max(1, code.recovery_threshold - 1), code.recovery_threshold, code.workers}:
            tasks = survivor_sets(code.workers, results, 1, _rng())[0]
            weights, _ = code.solve(tasks, "float32")
            squares = self._squares(code, tasks, weights, noise, signal=True)
            self._agree(squares, code.expected_error(tasks, "float32"), f"expected_error({tasks.tolist()})")

    def test_noise_amplification_is_the_mean_of_many_products(self) -> None:
        """Relative error out per relative error in."""
        code = self.make()
        tasks = survivor_sets(code.workers, code.recovery_threshold, 1, _rng())[0]
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

    # --- a value ------------------------------------------------------------------------------------------------------

    def test_the_code_cannot_be_changed(self) -> None:
        """Not its fields, and not its tables."""
        _check_frozen(self.make())

    def test_a_saved_code_is_the_same_code(self) -> None:
        """Tables bit for bit, thresholds, and weights."""
        code = self.make()
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory, "code.json")
            code.save(path)
            _check_same(type(code).load(path), code)
            assert [entry.name for entry in Path(directory).iterdir()] == ["code.json"], "save() left something behind"

    def test_the_code_travels_between_processes(self) -> None:
        """A pickled copy is the same code, and as unchangeable."""
        code = self.make()
        code.expected_error(range(code.workers))  # what a code remembers must not stand in its way
        copy = pickle.loads(pickle.dumps(code))
        _check_same(copy, code)
        _check_frozen(copy)

    # --- statistics ---------------------------------------------------------------------------------------------------

    def _some_sets(self, code: Code) -> Array:
        """Random survivor sets of threshold size; the contiguous one is the last."""
        return survivor_sets(code.workers, code.recovery_threshold, self.multiplied_sets, _rng())

    def _check(self, code: Code, A: Array, B: Array, tasks: Array, exact: Array, size: float) -> None:
        """Multiply, decode from these tasks, and compare with what is expected of them."""
        left, right = code.encode(A, B)
        answers = {int(task): left[task] @ right[task] for task in tasks}
        product = decode(code, answers, shape=(A.shape[0], B.shape[1]), partial=True).value
        error = float(np.linalg.norm(product - exact)) / size
        limit = code.expected_error(tasks, A.dtype) / np.sqrt(1 - self.confidence)
        assert error <= limit, (
            f"{A.dtype} matrices {A.shape} x {B.shape} from tasks {tasks.tolist()}: error {error:.1e}, at most "
            f"{limit:.1e} can be explained"
        )

    def _squares(self, code: Code, tasks: Array, weights: Array, noise: float, *, signal: bool) -> Array:
        """Squared relative errors of products of random blocks, from answers that carry Gaussian noise."""
        rng, cut, size = _rng(), code.partition, 4
        dtype = "complex128" if code.is_complex else "float64"
        A = _random(rng, (self.trials, cut.rows, cut.inner, size, size), dtype)
        B = _random(rng, (self.trials, cut.inner, cut.cols, size, size), dtype)
        answers = np.einsum("tijxz,ijw->twxz", A, code.left[..., tasks]) @ np.einsum(
            "tjlzy,jlw->twzy", B, code.right[..., tasks]
        )
        norms = np.linalg.norm(code.left, axis=(0, 1)) * np.linalg.norm(code.right, axis=(0, 1)) * np.sqrt(size)
        errors = noise * norms[tasks, None, None] * _random(rng, answers.shape, dtype)
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


def _rng() -> Generator:
    return np.random.default_rng(20)


def _random(rng: Generator, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
    """Standard normal; complex entries of mean square 1."""
    if np.dtype(dtype).kind == "c":
        parts = rng.standard_normal((2, *shape)) * np.sqrt(0.5)
        drawn: Array = parts[0] + 1j * parts[1]
    else:
        drawn = rng.standard_normal(shape)
    return drawn.astype(dtype)


def _decades(rng: Generator, shape: tuple[int, int]) -> Array:
    scales: Array = 10.0 ** rng.uniform(-6, 6, shape)
    return scales


def _wide(matrix: Array) -> Array:
    """Extended precision, so that the reference's own rounding does not count."""
    return matrix.astype(np.result_type(matrix, np.longdouble))


def _parts(code: Code, tasks: Array) -> tuple[float, float]:
    """Relative error from what a set cannot know, and from rounding in float64."""
    _, solution = code.solve(tasks)
    return float(solution.residual[0]), float(solution.amplification[0]) * product_error("float64")


def _awkward(code: Code) -> Iterator[Sizes]:
    """Heights, depths and widths that a partition likes least."""
    cut = code.partition
    yield 1, 1, 1
    yield cut.rows + 1, cut.inner + 1, cut.cols + 1
    yield 2 * cut.rows - 1, 3 * cut.inner - 1, 1
    yield 1, 2 * cut.inner, 3 * cut.cols + 1
    yield 17, 19, 23


def _encoded(coefficients: Array, matrix: Array, shape: tuple[int, int]) -> tuple[Array, Array]:
    """One coded block by explicit loops, and how far rounding can move its entries."""
    block, size = (np.zeros(shape, np.result_type(coefficients, matrix)) for _ in range(2))
    for (i, j), coefficient in np.ndenumerate(coefficients):
        part = matrix[i * shape[0] : (i + 1) * shape[0], j * shape[1] : (j + 1) * shape[1]]
        block[: part.shape[0], : part.shape[1]] += coefficient * part
        size[: part.shape[0], : part.shape[1]] += abs(coefficient) * abs(part)
    # Both sums round each term and each addition: n epsilon sum|c||a| apiece (2 n for complex numbers).
    return block, 4 * (coefficients.size + 1) * np.finfo(block.dtype).eps * size.real


def _check_frozen(code: Code) -> None:
    for name in ("name", "left", "recovery_threshold"):
        assert _refuses(FrozenInstanceError, partial(setattr, code, name, getattr(code, name))), f"{name} can be set"
    for name in ("left", "right", "positions"):
        table = getattr(code, name)
        assert table is None or _refuses(ValueError, partial(table.__setitem__, ..., 0)), f"{name} can be written to"


def _check_same(copy: Code, code: Code) -> None:
    for name in ("name", "partition", "recovery_threshold", "exact_threshold", "design_error", "workers", "reference"):
        assert getattr(copy, name) == getattr(code, name), f"the copy has another {name}"
    for name in ("left", "right", "positions"):
        mine, other = getattr(code, name), getattr(copy, name)
        assert (mine is None) == (other is None), f"the copy has lost its {name}"
        if mine is not None:
            assert (mine.dtype, mine.tobytes()) == (other.dtype, other.tobytes()), f"the copy's {name} differ"
    for tasks in survivor_sets(code.workers, code.recovery_threshold, 3, _rng()):
        assert np.array_equal(copy.solve(tasks)[0], code.solve(tasks)[0]), "the copy decodes with other weights"


def _refuses(error: type[Exception], change: Callable[[], object]) -> bool:
    try:
        change()
    except error:
        return True
    return False
