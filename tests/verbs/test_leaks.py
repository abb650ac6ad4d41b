"""Runs that end badly leave nothing behind; `tests.verbs.abort_script` says how, and does it a thousand times."""

import pytest

from tests.verbs.abort_script import main


@pytest.mark.cluster
@pytest.mark.timeout(300)
def test_aborted_runs_leave_nothing_behind(capsys):
    main(count=10, seed=100, runs=4)

    assert "no process, shared block, descriptor, thread or file left" in capsys.readouterr().out
