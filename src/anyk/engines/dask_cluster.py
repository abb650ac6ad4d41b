"""A Dask cluster of an engine's own: on this machine, reachable from it only, ended with the engine."""

import contextlib
import logging
import shutil
import tempfile


class OwnCluster:
    """Scheduler and workers on this machine.

    Args:
        workers: processes, at least 1.
    """

    def __init__(self, workers: int) -> None:
        import dask
        import distributed

        self._config = contextlib.ExitStack()
        # Forked from a server: a tenth of the time that Dask's default takes to start a worker, half of its memory.
        method = {"distributed.worker.multiprocessing-method": "forkserver"}
        # A worker that was killed and is not back in time is given up for good: Dask's 15 s are short where much runs.
        patience = {"distributed.deploy.lost-worker-timeout": "30s"}
        self._config.enter_context(dask.config.set(method | patience))
        self._directory = tempfile.mkdtemp(prefix="anyk-dask-")
        try:
            with dask.config.set({"temporary-directory": self._directory}):
                self._cluster = distributed.LocalCluster(
                    n_workers=workers,
                    threads_per_worker=1,
                    dashboard_address="127.0.0.1:0",  # Dask warns where the usual port is taken
                    local_directory=self._directory,
                    silence_logs=logging.CRITICAL,
                )
        except BaseException:
            self._clear()
            raise

    @property
    def address(self) -> str:
        """Of the scheduler."""
        return str(self._cluster.scheduler_address)

    @property
    def workers(self) -> int:
        """How many there are to be: one that is not there yet will come."""
        return len(self._cluster.worker_spec)

    def count(self) -> None:
        """See to it that all are there: Dask itself starts no other worker where one died on its way."""
        for name, nanny in [*self._cluster.workers.items()]:
            if nanny.status.name in ("closed", "failed"):
                self._cluster.workers.pop(name, None)
        self._cluster.scale(self.workers)

    def close(self) -> None:
        """End all processes."""
        with contextlib.suppress(Exception):
            self._cluster.close(timeout=10)
        self._clear()

    def _clear(self) -> None:
        shutil.rmtree(self._directory, ignore_errors=True)
        self._config.close()
