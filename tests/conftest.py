"""What every test shares: Hypothesis profiles, an interrupt that works, and where cluster and GPU tests run."""

import os
import signal
from importlib.util import find_spec

import pytest
from hypothesis import settings

# "ci" is the default: the same examples on every machine and in every run, and no deadline, since machines differ.
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.register_profile("search", settings.get_profile("ci"), derandomize=False, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

# In the background of a shell, or under nohup, these signals are ignored, and whatever is started from here would
# inherit that: tests of Ctrl-C would wait in vain. A signal that is handled, however, is one that acts on a child.
for number, handler in (
    (signal.SIGINT, signal.default_int_handler),
    (signal.SIGHUP, lambda *_: None),
    (signal.SIGQUIT, lambda *_: None),
):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, handler)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Keep tests that start worker processes on two pytest-xdist processes, and skip GPU tests without a GPU.

    Such a test depends on what else the machine does: one that fails is tried once more, and the summary names it.
    """
    if item.get_closest_marker("cluster"):
        if item.config.pluginmanager.hasplugin("xdist"):
            others = {"distributed", "nn"} & {*item.path.relative_to(item.config.rootpath).parts}
            item.add_marker(pytest.mark.xdist_group("clusters" if others else "workers"))
        item.add_marker(pytest.mark.flaky(reruns=1))
    if item.get_closest_marker("gpu") and not has_gpu():
        item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))


def has_gpu() -> bool:
    """Whether torch is installed and sees a CUDA device."""
    if find_spec("torch") is None:
        return False
    import torch

    return bool(torch.cuda.is_available())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Why tests were tried once more, for those that passed then."""
    for report in terminalreporter.getreports("rerun"):
        terminalreporter.write_line(f"tried once more: {report.nodeid}\n{report.longreprtext[-2000:]}")
