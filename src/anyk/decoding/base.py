"""What every decoding rule returns: weights for the answers of one survivor set."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from anyk.arrays import recombine
from anyk.partition import Partition


@dataclass(frozen=True, eq=False)
class Weights:
    """How to combine the answers of one survivor set.

    Args:
        survivors: tasks, in the order of the columns.
        matrix: decoding weights, shape (rows * cols, k).
        expected_error: relative Frobenius error to expect on random matrices, rounding included.
        noise_amplification: relative error of the product per relative error of the answers.
    """

    survivors: tuple[int, ...]
    matrix: NDArray[Any]
    expected_error: float
    noise_amplification: float

    def apply(
        self, answers: Mapping[int, NDArray[Any]], partition: Partition, out: NDArray[Any], *, threads: int = 1
    ) -> None:
        """Form the product in ``out``, in one pass over the answers.

        Args:
            answers: at least the survivors' answers, by task.
            partition: of the code.
            out: the result, cropped to its true shape; overwritten.
            threads: that may share the work.
        """
        grid = partition.rows, partition.cols
        recombine(self.matrix, [answers[task] for task in self.survivors], grid, out, threads=threads)
