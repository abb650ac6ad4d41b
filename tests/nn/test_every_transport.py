"""What every transport owes: all ranks of a round see the same pieces, and nobody waits for the stopped."""

import os
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch

from anyk.errors import LeftOut
from anyk.nn.board import ACTIVE, JOINING, Board, Layout, Seat
from anyk.nn.sequencer import Sequencer
from anyk.nn.store import StoreSeat, connected
from anyk.nn.transport import Quota, Transport

RANKS = 4
#: Short, so that tests are: a rank is left out after this while.
PATIENCE = 0.3

Seats = list[Transport]


def on_a_board() -> Iterator[Seats]:
    board = Board.create(Layout(RANKS, slots=8, capacity=64))
    board.status[:] = ACTIVE
    sequencer, closing = Sequencer(board, patience_seconds=PATIENCE), threading.Event()

    def close() -> None:
        while not closing.is_set():
            if not sequencer.poll(time.monotonic()):
                time.sleep(1e-4)

    closer = threading.Thread(target=close)
    closer.start()
    yield [Seat(board, rank) for rank in range(RANKS)]
    closing.set()
    closer.join()
    os.close(board.descriptor)


def in_a_store() -> Iterator[Seats]:
    served = connected("127.0.0.1", 0, serve=True)
    seats = [
        StoreSeat(connected("127.0.0.1", served.port), rank, RANKS, capacity=64, patience_seconds=PATIENCE)
        for rank in range(RANKS)
    ]
    yield list(seats)
    for seat in seats:
        seat.close()


@pytest.fixture(params=[on_a_board, in_a_store])
def seats(request: pytest.FixtureRequest) -> Iterator[Seats]:
    yield from request.param()


def together(act: Callable[[int], object], ranks: range = range(RANKS)) -> dict[int, object]:
    """What each rank returns, or raises; all of them at once."""
    told: dict[int, object] = {}

    def work(rank: int) -> None:
        try:
            told[rank] = act(rank)
        except Exception as problem:
            told[rank] = problem

    threads = [threading.Thread(target=work, args=(rank,)) for rank in ranks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert not any(thread.is_alive() for thread in threads)
    return told


def piece(rank: int, number: int, size: int = 3) -> torch.Tensor:
    return torch.arange(size, dtype=torch.float64)[None] + 100 * rank + 10_000 * number


def rounds(seat: Transport, numbers: range, needed: int = RANKS, wanted: int = RANKS) -> list[object]:
    """What one rank sees in some rounds: pieces that count, and their marks."""
    seen: list[object] = []
    for number in numbers:
        assert seat.round == number
        shown, came = seat.gather(piece(seat.rank, number), Quota(needed, wanted), 1000 * number + seat.rank)
        seen.append((shown[came].tolist(), np.flatnonzero(came).tolist(), seat.marks[came].tolist()))
    return seen


def test_all_ranks_see_the_same_pieces_and_marks(seats: Seats) -> None:
    told = together(lambda rank: rounds(seats[rank], range(25)))

    expected = [
        (
            [piece(rank, number)[0].tolist() for rank in range(RANKS)],
            [0, 1, 2, 3],
            [1000 * number + rank for rank in range(RANKS)],
        )
        for number in range(25)
    ]
    assert all(told[rank] == expected for rank in range(RANKS))


def test_pieces_larger_than_a_round_holds_take_several(seats: Seats) -> None:
    told = together(lambda rank: seats[rank].gather(piece(rank, 0, 50), Quota(RANKS, RANKS), 0))

    for shown, came in told.values():  # type: ignore[misc]
        assert came.all()
        assert torch.equal(shown, torch.cat([piece(rank, 0, 50) for rank in range(RANKS)]))
    assert {seat.round for seat in seats} == {7}


def test_a_silent_rank_holds_nobody_up_and_reads_later_what_the_others_saw(seats: Seats) -> None:
    together(lambda rank: rounds(seats[rank], range(1)))
    told = together(lambda rank: rounds(seats[rank], range(1, 4), needed=3, wanted=3), range(3))

    assert seats[3].is_late
    later = rounds(seats[3], range(1, 4), needed=3, wanted=3)
    assert told[0] == told[1] == told[2] == later
    assert [each[1] for each in later] == [[0, 1, 2]] * 3  # type: ignore[index]


def test_where_more_are_wanted_the_silent_is_left_out_and_joins_between_steps(seats: Seats) -> None:
    together(lambda rank: rounds(seats[rank], range(1)))
    together(lambda rank: rounds(seats[rank], range(1, 2), needed=3), range(3))
    with pytest.raises(LeftOut):
        rounds(seats[3], range(1, 2), needed=3)

    def act(rank: int) -> object:
        seat = seats[rank]
        if rank == 3:
            seat.join()
        else:
            while not seat.admitted:
                seat.gather(torch.zeros(1, 1), Quota(1, 1, boundary=True), 0)
            assert seat.admitted == [3]
        return rounds(seat, range(seat.round, seat.round + 3))

    told = together(act)
    assert told[0] == told[1] == told[2] == told[3]
    assert told[3][0][1] == [0, 1, 2, 3]  # type: ignore[index]


def waiting(seat: Transport, rank: int) -> bool:
    """Whether a rank has asked to be admitted."""
    if isinstance(seat, Seat):
        return bool(seat.board.status[rank] == JOINING)
    assert isinstance(seat, StoreSeat)
    return seat._is_there(f"join/{rank}")


def test_those_who_are_let_in_together_know_of_each_other(seats: Seats) -> None:
    """Each would else take what the others of its host hold for right, though they have just come as well."""
    together(lambda rank: rounds(seats[rank], range(1)))
    together(lambda rank: rounds(seats[rank], range(1, 2), needed=2), range(2))
    for rank in (2, 3):
        with pytest.raises(LeftOut):
            rounds(seats[rank], range(1, 2), needed=2)

    both_see = threading.Barrier(2)  # the first to close the round ends the waiting

    def act(rank: int) -> list[int]:
        seat = seats[rank]
        if rank >= 2:
            seat.join()
        else:
            while not all(waiting(seat, other) for other in (2, 3)):
                time.sleep(1e-3)
            both_see.wait(60)
            seat.gather(torch.zeros(1, 1), Quota(1, 1, boundary=True), 0)
        return seat.admitted

    assert together(act) == {rank: [2, 3] for rank in range(RANKS)}


def test_a_rank_that_was_away_for_long_is_told(seats: Seats) -> None:
    together(lambda rank: rounds(seats[rank], range(1)))
    together(lambda rank: rounds(seats[rank], range(1, 60), needed=3, wanted=3), range(3))

    with pytest.raises(LeftOut):
        rounds(seats[3], range(1, 2), needed=3, wanted=3)
