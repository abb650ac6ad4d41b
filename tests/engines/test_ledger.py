from concurrent.futures import Future

import pytest

from anyk.engines.channel import Op, pack
from anyk.engines.ledger import FLAGS, WINDOW, Ledger


def work() -> tuple[Future, object]:
    return Future(), pack(Op.RUN, 0, None)


def filled(count: int) -> tuple[Ledger, list[Future]]:
    ledger, futures = Ledger(), []
    for _ in range(count):
        future, frame = work()
        ledger.enter(future, frame)
        futures.append(future)
    return ledger, futures


def test_messages_are_drawn_in_order_and_numbered():
    ledger, futures = filled(3)

    assert [ledger.draw().seq for _ in range(3)] == [1, 2, 3]
    assert ledger.draw() is None
    assert [ledger.answered() for _ in range(3)] == futures


def test_no_more_than_a_window_is_ahead_of_the_worker():
    ledger, futures = filled(WINDOW + 1)
    assert all(ledger.draw() for _ in range(WINDOW))

    assert ledger.draw() is None
    assert ledger.answered() is futures[0]
    assert ledger.draw() is not None


def test_what_waits_is_dequeued_and_what_was_sent_is_flagged_until_answered():
    ledger, (first, second) = filled(2)
    ledger.draw()

    assert ledger.cancel(second) == "dequeued"
    assert ledger.cancel(first) == "flagged"
    assert ledger.flags.nonzero()[0].tolist() == [1]
    assert ledger.answered() is first
    assert not ledger.flags.any()
    assert ledger.cancel(first) == "running"
    assert ledger.draw() is None


def test_a_future_cancelled_by_its_owner_is_never_sent():
    ledger, (first, second) = filled(2)
    first.cancel()

    assert ledger.draw().seq == 1
    assert ledger.answered() is second


def test_silence_counts_only_against_a_worker_without_wanted_work_before():
    ledger, (first, second, third) = filled(3)
    for _ in range(3):
        ledger.draw()

    assert ledger.silence(second) is None
    ledger.cancel(second)
    assert ledger.silence(second) == 0.0
    ledger.cancel(first)
    assert ledger.silence(second) > 0.0
    ledger.answered()
    ledger.answered()
    assert ledger.silence(second) is None
    assert ledger.silence(third) is None


def test_flags_are_used_again_after_their_turn():
    ledger, _ = filled(FLAGS + 1)
    for _ in range(FLAGS):
        ledger.draw()
        ledger.answered()
    last = ledger.draw()
    (future,) = ledger.pending()

    ledger.cancel(future)

    assert last.seq == FLAGS + 1
    assert ledger.flags.nonzero()[0].tolist() == [1]


@pytest.mark.parametrize("sent", [0, 1, 3])
def test_clearing_returns_everything_that_must_be_told(sent):
    ledger, futures = filled(3)
    for _ in range(sent):
        ledger.draw()

    assert ledger.clear() == futures
    assert ledger.pending() == []


def test_after_clearing_no_message_is_wanted_any_more():
    """A worker that does not know yet that it is lost must not write into what its successor uses."""
    ledger, _ = filled(3)
    ledger.draw()

    ledger.clear()

    assert ledger.flags.all()
