"""Curves of a training run for TensorBoard."""

from pathlib import Path
from typing import Any

from anyk.errors import InputError
from anyk.nn.record import Moment


class Scalars:
    """A context manager whose `see` is the ``watch`` of `anyk.nn.training.train`.

    Args:
        directory: where the event file goes.

    Raises:
        InputError: TensorBoard is not installed, or the directory cannot be written to.
    """

    def __init__(self, directory: str | Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as problem:
            raise InputError(
                "scalars for TensorBoard need the package tensorboard. Install it with `pip install 'anyk[nn]'`."
            ) from problem
        try:
            self._writer: Any = SummaryWriter(str(directory))
        except OSError as problem:
            raise InputError(
                f"`{directory}` cannot hold scalars: {problem.strerror}. Choose another place."
            ) from problem
        self._step = -1

    def see(self, moment: Moment) -> None:
        """Take one update in; one that was rolled back is written once."""
        if moment.step <= self._step:
            return
        self._step = moment.step
        if moment.loss is not None:
            self._writer.add_scalar("loss", moment.loss, moment.step)
        self._writer.add_scalar("rollbacks", moment.rollbacks, moment.step)
        for name, count in moment.counts.items():
            self._writer.add_scalar(f"nodes/{name}", count, moment.step)
        if moment.accuracy is not None:
            self._writer.add_scalar("accuracy", moment.accuracy, moment.step)

    def __enter__(self) -> "Scalars":
        return self

    def __exit__(self, *raised: object) -> None:
        self._writer.close()
