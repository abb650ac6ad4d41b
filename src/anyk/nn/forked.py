"""A process forked from this one, which has loaded everything already: it is there in milliseconds."""

import ctypes
import os
import signal
import sys
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress

#: Of prctl: the signal to be sent when the parent dies.
_PR_SET_PDEATHSIG = 1


class Forked:
    """Runs a function in a process of its own, as far as needed like `subprocess.Popen`.

    Args:
        program: run there; when it returns the process ends with status 0, or with that of `SystemExit`.
        environment: of the process.

    Attributes:
        pid: of the process.
    """

    def __init__(self, program: Callable[[], object], environment: Mapping[str, str]) -> None:
        self._code: int | None = None
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if not self.pid:
            os._exit(_life(program, environment))

    def poll(self) -> int | None:
        """Exit status, or minus the signal that ended it; None: it lives."""
        if self._code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self._code = os.waitstatus_to_exitcode(status) if pid else None
        return self._code

    def wait(self) -> int:
        """Until it has ended."""
        if self._code is None:
            self._code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self._code

    def kill(self) -> None:
        """End it."""
        if self._code is None:
            os.kill(self.pid, signal.SIGKILL)


def _life(program: Callable[[], object], environment: Mapping[str, str]) -> int:
    """All that happens in the new process; its exit status."""
    code = 1
    try:
        with suppress(OSError, AttributeError):  # Linux: a rank does not outlive its launcher, wherever it waits
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        os.setsid()  # Ctrl-C is for the launcher, which ends them
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.environ.clear()
        os.environ.update(environment)
        program()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return code
