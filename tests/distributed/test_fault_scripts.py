"""A few of the random scripts of `tests.distributed.fault_scripts`, and its measurement once."""

import pytest

from tests.distributed.fault_scripts import LIMIT, main, one_kill_one_stop, resident, run_scripts

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]


def test_products_are_right_or_refused_whoever_is_killed_and_stopped():
    tally = run_scripts(12, seed=7)

    assert sum(tally.outcomes.values()) == 12
    assert tally.outcomes["right"] >= 8
    assert {"killed", "stopped"} <= set(tally.deeds)
    assert tally.worst_error < LIMIT


def test_one_worker_killed_and_one_stopped_in_the_middle():
    found = one_kill_one_stop(1, seed=0)

    assert {kind: len(each) for kind, each in found.items()} == {"without": 1, "with": 1, "errors": 2}
    assert max(found["errors"]) < LIMIT


def test_iterates_are_the_same_while_workers_are_killed():
    worst, killed = resident(30, 10, seed=1)

    assert worst < LIMIT
    assert killed == 3


def test_the_command_says_what_came_of_it(capsys):
    main(["--count", "2", "--seed", "3"])

    assert "2 scripts" in capsys.readouterr().out
