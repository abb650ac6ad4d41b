"""The sum that decodes, formed by the workers that have the answers.

In each round half of them take a partial sum from the other half (`anyk.engines.base.Far`), so that after a few rounds
one of them has a block of C, and none has moved more than a few blocks.
"""

from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, wait
from itertools import cycle
from typing import Any

from numpy.typing import NDArray

from anyk.decoding import Weights
from anyk.engines import work
from anyk.engines.base import Far, Lane, Ref
from anyk.engines.meter import Moved
from anyk.verbs.afar import Afar, Piece
from anyk.verbs.kept import Kept, Unformed
from anyk.verbs.sums import Part, leaves, pairs, places, shape_of

Array = NDArray[Any]


class Reduction:
    """One product of kept answers.

    Args:
        kept: the answers.
    """

    def __init__(self, kept: Kept) -> None:
        self._kept = kept
        self._adding: dict[Future[Any], Lane] = {}

    def form(self, weights: Weights, out: Array) -> None:
        """Form the product by sums on the workers, and bring it here.

        Args:
            weights: of the answers to use.
            out: shape (height, width); overwritten.

        Raises:
            Gone: some answers are lost.
            Unformed: the workers are there, and no sum comes.
        """
        trees, spots = self._reduced(weights), places(self._kept.partition, self._kept.shape)
        last = [self._summed(tree, shape_of(spot), stays=False)[0] for tree, spot in zip(trees, spots, strict=True)]
        self._await(weights.survivors, last)
        for spot, future in zip(spots, last, strict=True):
            out[spot] = future.result()

    def form_there(self, weights: Weights) -> Afar:
        """Form the product by sums on the workers, and leave it there.

        Raises:
            Gone: some answers are lost.
            Unformed: the workers are there, and no sum comes.
        """
        trees, spots = self._reduced(weights), places(self._kept.partition, self._kept.shape)
        last = [self._summed(tree, shape_of(spot), stays=True) for tree, spot in zip(trees, spots, strict=True)]
        self._await(weights.survivors, [future for future, _ in last])
        lanes, keys = [tree[0].lane for tree in trees], [key for _, key in last]
        return self._afar([*map(Piece, lanes, keys, spots)])

    def given_back(self, product: Array, tasks: Sequence[int]) -> Afar:
        """A product that was formed here, placed on some of the workers that have these answers.

        Raises:
            Gone: one of them is lost.
        """
        lanes = [*dict.fromkeys(self._kept.holder(task)[0] for task in tasks)]
        spots = places(self._kept.partition, self._kept.shape)
        pieces = [Piece(lane, self._kept.stores(lane), spot) for lane, spot in zip(cycle(lanes), spots, strict=False)]
        self._await(tasks, [piece.lane.put(piece.key, product[piece.spot]) for piece in pieces])
        return self._afar(pieces)

    def _reduced(self, weights: Weights) -> list[list[Part]]:
        """Rounds of sums until at most two lanes have a part of each block of the product."""
        self._kept.check(weights.survivors)
        holders = [self._kept.holder(task) for task in weights.survivors]
        trees = [leaves(holders, weights.matrix, number) for number in range(len(weights.matrix))]
        while any(len(tree) > 2 for tree in trees):
            futures: list[Future[Any]] = []
            for number, tree in enumerate(trees):
                if len(tree) > 2:
                    trees[number] = [self._merged(group, futures) for group in pairs(tree)]
            self._await(weights.survivors, futures)
        return trees

    def _merged(self, group: Sequence[Part], futures: list["Future[Any]"]) -> Part:
        """What the first of a group will have; where there is something to add up, its future joins the others."""
        if len(group) == 1:
            return group[0]
        future, key = self._summed(group, None, stays=True)
        futures.append(future)
        return Part(group[0].lane, ((key, 1.0),))

    def _summed(
        self, parts: Sequence[Part], shape: tuple[int, int] | None, *, stays: bool
    ) -> tuple["Future[Any]", str]:
        """Let the first of these lanes form the sum of what all have; its future, and the name it is kept under."""
        target = parts[0].lane
        blocks = [(Ref(key) if part.lane is target else Far(part.lane, key)) for part in parts for key, _ in part.terms]
        weights = [weight for part in parts for _, weight in part.terms]
        self._kept.meter.add(
            Moved(between_workers=self._kept.answer_bytes * sum(isinstance(block, Far) for block in blocks))
        )
        key = self._kept.stores(target) if stays else ""
        is_real = shape is not None and self._kept.dtype.kind == "f"
        future = target.submit(work.weighted_sum, weights, is_real, shape, *blocks, out=key or None)
        self._adding[future] = target
        return future, key

    def _afar(self, pieces: Sequence[Piece]) -> Afar:
        return Afar(tuple(pieces), self._kept.shape, self._kept.dtype, self._kept.limit(len(pieces)))

    def _await(self, tasks: Sequence[int], futures: Sequence["Future[Any]"]) -> None:
        """Wait for all of these, in vain only so long.

        Raises:
            Gone: a worker that has some of the tasks' answers does not answer.
            Unformed: all do.
        """
        wait(futures, self._kept.limit(len(futures)), FIRST_EXCEPTION)
        failed = [future for future in futures if not future.done() or future.exception() is not None]
        for future in failed:
            if (lane := self._adding.get(future)) is not None:
                lane.cancel(future)
        self._adding.clear()
        if failed:
            self._kept.call(tasks)
            raise Unformed(self._kept.fate_of(failed[0]))
