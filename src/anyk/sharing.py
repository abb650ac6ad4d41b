"""Work on large arrays, shared out among a few threads; small work stays where it is."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TypeVar

T = TypeVar("T")

#: Bytes for which another thread is worth its start: a tenth of a millisecond, in which so much is copied.
_WORTH_A_THREAD = 1 << 22

#: More threads than this do not read memory faster on common machines.
_MOST = 4


def share_out(pieces: Sequence[T], work: Callable[[Sequence[T]], None], nbytes: int, threads: int) -> None:
    """Call ``work`` with neighbouring pieces, in as many threads as are worth it; each piece is in one call.

    Args:
        pieces: of one task, independent of each other.
        work: does them; lets go of the interpreter while it computes, as NumPy does.
        nbytes: size of all that is read, which decides how many threads are worth it.
        threads: that may be used.
    """
    threads = min(threads, _MOST, len(pieces), nbytes // _WORTH_A_THREAD)
    if threads < 2:
        return work(pieces)
    cuts = [len(pieces) * number // threads for number in range(threads + 1)]
    first, *others = (pieces[begin:end] for begin, end in pairwise(cuts))
    with ThreadPoolExecutor(len(others), "anyk-share") as pool:
        under_way = [pool.submit(work, other) for other in others]
        work(first)
        for each in under_way:
            each.result()
    return None
