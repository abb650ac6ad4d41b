"""Products come back, of any shape, scale and dtype."""

import numpy as np

from anyk.code import Code
from anyk.testing.codes.kit import Array, Kit, awkward_sizes, decades, new_rng, normal, wide
from anyk.verbs.decode import decode

DTYPES = ("float32", "float64", "complex64", "complex128")


class Products(Kit):
    """Products are recovered within what is expected of the answers."""

    def test_random_products_are_recovered(self) -> None:
        """From any threshold-many answers, within what the expected error of that set allows."""
        code, rng = self.make(), new_rng()
        A, B = normal(rng, (24, 36), "float64"), normal(rng, (36, 30), "float64")
        exact = wide(A) @ wide(B)
        for tasks in self._some_sets(code):
            self._check(code, A, B, tasks, exact, float(np.linalg.norm(exact)))

    def test_badly_scaled_products_are_recovered(self) -> None:
        """Rows and columns of twelve decades: the error is small beside |A| |B|, as everywhere in linear algebra."""
        code, rng = self.make(), new_rng()
        A, B = (
            decades(rng, (height, 1)) * normal(rng, (height, width), "float64") * decades(rng, (1, width))
            for height, width in ((24, 36), (36, 30))
        )
        # Independent blocks, whatever their sizes: E|AB - C|^2 <= e^2 (rows inner cols) |A|^2 |B|^2.
        size = np.sqrt(code.partition.products) * np.linalg.norm(A) * np.linalg.norm(B)
        for tasks in self._some_sets(code):
            self._check(code, A, B, tasks, wide(A) @ wide(B), float(size))

    def test_every_shape_is_recovered(self) -> None:
        """Sizes that do not divide, that are smaller than the partition, and single rows and columns."""
        code, rng = self.make(), new_rng()
        for height, depth, width in awkward_sizes(code):
            A, B = normal(rng, (height, depth), "float64"), normal(rng, (depth, width), "float64")
            size = np.sqrt(code.partition.products) * np.linalg.norm(A) * np.linalg.norm(B)
            for tasks in self._some_sets(code)[-2:]:
                self._check(code, A, B, tasks, wide(A) @ wide(B), float(size))

    def test_every_dtype_is_kept_and_recovered(self) -> None:
        """Single and double precision, real and complex; a complex code makes complex blocks of the same precision."""
        code, rng = self.make(), new_rng()
        tasks = self._some_sets(code)[0]
        for dtype in DTYPES:
            A, B = normal(rng, (24, 36), dtype), normal(rng, (36, 30), dtype)
            coded = {block.dtype for blocks in code.encode(A, B) for block in blocks}
            assert coded == {code.coded_dtype(dtype)}, f"blocks of {dtype} matrices became {coded}"
            assert np.finfo(code.coded_dtype(dtype)).eps == np.finfo(dtype).eps, f"{dtype} changed its precision"
            exact = wide(A) @ wide(B)
            self._check(code, A, B, tasks, exact, float(np.linalg.norm(exact)))

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
