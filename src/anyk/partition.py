"""How two matrices are cut: shapes only, no data is touched.

A (height x depth) is cut into ``rows x inner`` equal blocks and B (depth x width) into ``inner x cols``. Sizes that do
not divide are rounded up; the missing edge counts as zeros and is cropped away again at the end.
"""

from dataclasses import dataclass

from anyk.errors import CodeError

Shape = tuple[int, int]


def blocks_of(length: int, parts: int) -> int:
    """The length of one of ``parts`` equal pieces that together cover ``length``.

    >>> blocks_of(10, 4)
    3
    """
    return -(-length // parts)


@dataclass(frozen=True, slots=True)
class Partition:
    """Block counts of a product: A into rows x inner, B into inner x cols, C into rows x cols.

    Args:
        rows: block rows of A and C; at least 1.
        inner: block columns of A, block rows of B; at least 1.
        cols: block columns of B and C; at least 1.

    Raises:
        CodeError: a count is not an integer of at least 1.

    >>> Partition(rows=2, inner=3, cols=1).left_block((100, 90))
    (50, 30)
    """

    rows: int
    inner: int
    cols: int

    def __post_init__(self) -> None:
        for name in ("rows", "inner", "cols"):
            count = getattr(self, name)
            if not isinstance(count, int) or isinstance(count, bool) or count < 1:
                raise CodeError(f"a partition needs `{name}` to be an integer of at least 1, not {count!r}.")

    @property
    def products(self) -> int:
        """Block products an uncoded multiplication needs: rows * inner * cols."""
        return self.rows * self.inner * self.cols

    @property
    def wanted(self) -> int:
        """Blocks of the result: rows * cols."""
        return self.rows * self.cols

    def left_block(self, shape: Shape) -> Shape:
        """Shape of one block of A, and so of one encoded block of A."""
        return blocks_of(shape[0], self.rows), blocks_of(shape[1], self.inner)

    def right_block(self, shape: Shape) -> Shape:
        """Shape of one block of B, and so of one encoded block of B."""
        return blocks_of(shape[0], self.inner), blocks_of(shape[1], self.cols)

    def result_block(self, shape: Shape) -> Shape:
        """Shape of one block of C, and so of one answer."""
        return blocks_of(shape[0], self.rows), blocks_of(shape[1], self.cols)

    def __str__(self) -> str:
        return f"{self.rows} x {self.inner} x {self.cols}"
