"""Rounds at the board: closed by enough pieces, the same verdict for all, nobody waits for the stopped."""

import os
import threading

import numpy as np
import pytest

from anyk.errors import ClusterError, LeftOut
from anyk.nn.board import ACTIVE, BEHIND, DEAD, JOINING, Board, Layout, Seat
from anyk.nn.sequencer import Sequencer
from anyk.nn.transport import Quota


@pytest.fixture
def board():
    made = Board.create(Layout(ranks=4, slots=4, capacity=64))
    made.status[:] = ACTIVE
    yield made
    os.close(made.descriptor)


def pin(board: Board, rank: int, number: int, needed: int = 3, wanted: int = 3, boundary: bool = False) -> None:
    """What a rank writes for one round."""
    slot = number % board.layout.slots
    board.pieces[slot, rank, 0] = 10 * number + rank
    board.tags[slot, rank] = number
    board.needed[rank], board.wanted[rank], board.boundary[rank] = needed, wanted, boundary
    board.written[rank] = number


def counted(board: Board, number: int) -> list[int]:
    return np.flatnonzero(board.counted[number % board.layout.slots]).tolist()


def test_the_first_round_waits_for_all_to_start(board: Board) -> None:
    sequencer = Sequencer(board, start_seconds=60)
    for rank in range(3):
        pin(board, rank, 0)

    assert not sequencer.poll(0.0)
    assert not sequencer.poll(59.0)
    pin(board, 3, 0)
    assert sequencer.poll(59.5)
    assert counted(board, 0) == [0, 1, 2, 3]


def test_a_round_closes_without_the_slow_once_enough_are_there(board: Board) -> None:
    sequencer = Sequencer(board)
    board.closed[0] = 4
    board.written[:] = 4
    for rank in (0, 2):
        pin(board, rank, 5)
    assert not sequencer.poll(1.0)
    pin(board, 3, 5)

    assert not sequencer.poll(1.1)  # grace for the last one: half of what the others took
    assert sequencer.poll(1.2)
    assert counted(board, 5) == [0, 2, 3]
    assert sequencer.late.tolist() == [0, 1, 0, 0]
    assert board.status[1] == ACTIVE


def test_all_there_close_a_round_at_once(board: Board) -> None:
    sequencer = Sequencer(board)
    board.closed[0] = 4
    for rank in range(4):
        pin(board, rank, 5)

    assert sequencer.poll(0.0)
    assert board.closed[0] == 5


def test_the_dead_are_not_waited_for(board: Board) -> None:
    sequencer = Sequencer(board)
    board.closed[0] = 4
    board.status[[1, 3]] = DEAD
    for rank in (0, 2):
        pin(board, rank, 5)

    assert sequencer.poll(0.0)
    assert counted(board, 5) == [0, 2]


def test_a_rank_a_whole_board_behind_is_waited_for_a_while_and_then_left_out(board: Board) -> None:
    sequencer = Sequencer(board, patience_seconds=0.5)
    board.closed[0], board.written[1] = 4, 4
    now = 0.0
    for number in (5, 6):
        for rank in (0, 2, 3):
            pin(board, rank, number)
        sequencer.poll(now)
        now += 0.1
        assert sequencer.poll(now)
        assert board.status[1] == ACTIVE
    for rank in (0, 2, 3):
        pin(board, rank, 7)
    sequencer.poll(now)

    assert not sequencer.poll(now + 0.4)
    assert sequencer.poll(now + 50)
    assert board.status[1] == BEHIND


def test_where_too_few_are_there_the_missing_are_waited_for_much_longer(board: Board) -> None:
    sequencer = Sequencer(board, patience_seconds=0.5, give_up_seconds=60)
    board.closed[0] = 4
    for rank in (0, 2):
        pin(board, rank, 5)
    sequencer.poll(0.0)

    assert not sequencer.poll(59.0)
    assert sequencer.poll(61.0)
    assert counted(board, 5) == [0, 2]
    assert board.status.tolist() == [ACTIVE, BEHIND, ACTIVE, BEHIND]


def test_where_more_are_wanted_than_came_the_missing_are_waited_for_a_while(board: Board) -> None:
    sequencer = Sequencer(board, patience_seconds=0.5)
    board.closed[0] = 4
    for rank in (0, 2, 3):
        pin(board, rank, 5, wanted=4)
    sequencer.poll(0.0)

    assert not sequencer.poll(0.4)
    assert sequencer.poll(0.6)
    assert board.status.tolist() == [ACTIVE, BEHIND, ACTIVE, ACTIVE]


def test_who_waits_is_admitted_between_two_steps_and_by_all_alike(board: Board) -> None:
    sequencer = Sequencer(board)
    board.closed[0], board.status[3] = 4, JOINING
    for number, boundary in ((5, False), (6, True)):
        for rank in range(3):
            pin(board, rank, number, boundary=boundary)
        assert sequencer.poll(float(number))

    assert board.admitted[1].tolist() == [0, 0, 0, 0]
    assert board.admitted[2].tolist() == [0, 0, 0, 1]
    assert board.status[3] == ACTIVE
    assert board.epoch[3] == 7


def test_ranks_read_the_same_pieces_however_late_they_look(board: Board) -> None:
    seats = [Seat(board, rank) for rank in range(4)]
    sequencer, seen = Sequencer(board, give_up_seconds=1e9), {}
    closing = threading.Event()

    def close() -> None:
        now = 0.0
        while not closing.is_set():
            now += 1.0
            sequencer.poll(now)

    def work(rank: int) -> None:
        for number in range(50):
            pieces = np.zeros((4, 2), np.uint8)
            who = seats[rank].exchange(np.array([rank, number], np.uint8), pieces, Quota(4, 4))
            seen[rank, number] = pieces.tolist(), who.tolist()

    threads = [threading.Thread(target=work, args=(rank,)) for rank in range(4)]
    closer = threading.Thread(target=close)
    for thread in (closer, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    closing.set()
    closer.join()

    assert all(seen[rank, number] == seen[0, number] for rank in range(4) for number in range(50))
    assert seen[0, 7][0] == [[rank, 7] for rank in range(4)]


def test_a_rank_that_was_left_out_is_told(board: Board) -> None:
    seat = Seat(board, 2)
    board.status[2] = BEHIND

    with pytest.raises(LeftOut):
        seat.exchange(np.zeros(3, np.uint8), np.zeros((4, 3), np.uint8), Quota(4, 4))


def test_a_rank_whose_slots_were_overwritten_is_told(board: Board) -> None:
    seat = Seat(board, 2)
    board.closed[0] = 0
    board.counted[0] = [1, 0, 1, 0]
    board.tags[0, 0] = 4

    with pytest.raises(LeftOut):
        seat.exchange(np.zeros(3, np.uint8), np.zeros((4, 3), np.uint8), Quota(4, 4))


def test_who_waits_when_the_run_ends_is_told(board: Board) -> None:
    board.end()

    with pytest.raises(ClusterError, match="ended"):
        Seat(board, 1).exchange(np.zeros(3, np.uint8), np.zeros((4, 3), np.uint8), Quota(4, 4))
