"""What the system allows this process: cores, and open files, of which an engine's workers take some.

A worker takes a socket, a process handle and its cancel flags. Systems commonly allow a process 1,024 open files at
first and far more on request; so the request is made, and only by an engine that needs it.
"""

import os

from anyk.errors import ClusterError

#: Open files of one worker on the master's side.
_PER_WORKER = 4
#: For blocks, the engine itself, and whatever else the process has open.
_OTHERS = 256


def cores() -> int:
    """Processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def threads() -> int:
    """Threads that a computation here may use: one for each core, or ``OMP_NUM_THREADS`` as for BLAS."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return min(cores(), int(asked)) if asked.isdecimal() and int(asked) > 0 else cores()


def make_room(workers: int) -> None:
    """See to it that this process may open enough files for an engine; processes it starts then may, too.

    Args:
        workers: of the engine.

    Raises:
        ClusterError: the system does not allow as many.
    """
    try:
        import resource
    except ImportError:  # a system without such limits
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = _PER_WORKER * workers + _OTHERS
    if soft == resource.RLIM_INFINITY or needed <= soft:
        return
    if hard != resource.RLIM_INFINITY and needed > hard:
        raise ClusterError(
            f"{workers} worker processes take about {needed} open files, and this process may have {hard}. Raise the "
            f"hard limit (`ulimit -Hn {needed}`, LimitNOFILE= of a systemd service, --ulimit nofile= of a container), "
            f"or use {max(1, (hard - _OTHERS) // _PER_WORKER)} workers or fewer: several tasks can share one."
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
