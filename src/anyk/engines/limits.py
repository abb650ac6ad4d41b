"""Open files: what an engine's workers take, and what the system allows this process.

A worker takes a socket, a process handle and its cancel flags. Systems commonly allow a process 1,024 open files at
first and far more on request; so the request is made, and only by an engine that needs it.
"""

from anyk.errors import ClusterError

#: Open files of one worker on the master's side.
_PER_WORKER = 4
#: For blocks, the engine itself, and whatever else the process has open.
_OTHERS = 256


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
