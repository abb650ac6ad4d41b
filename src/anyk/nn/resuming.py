"""A run that goes on in a later process: what was asked for and what was counted lie beside its checkpoints.

run/configuration.json   what was asked for
run/progress-0000.json   losses and counts up to the last checkpoint, as the rank (or the first node) here knows them
"""

import json
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from anyk.errors import InputError
from anyk.nn.runs import Configuration, write_whole

#: Settings that may change from one process to the next.
_FREE = ("epochs", "steps", "patience", "checkpoint_every", "error_rate", "error_kind")

_CONFIGURATION = "configuration.json"


class Resumable:
    """The directory of one run.

    Args:
        directory: of its checkpoints.
        node: the first one here.
    """

    def __init__(self, directory: Path, node: int) -> None:
        self.directory, self._node = directory, node

    def agree(self, configuration: Configuration) -> None:
        """Write down what is asked for; where something was asked for before, it must be the same.

        Raises:
            InputError: another setting than before, or a place that cannot be written to.
        """
        before = asked_before(self.directory)
        if before is not None:
            now, then = (asdict(replace(each, steps=None)) for each in (configuration, before))
            for name, value in now.items():
                if value != then[name] and name not in _FREE:
                    raise InputError(
                        f"`--resume {self.directory}`: that run was begun with {name}={then[name]!r}, not {value!r}. "
                        "Go on with the same settings, or begin another run in another directory."
                    )
        if self._node == 0:
            try:
                self.directory.mkdir(parents=True, exist_ok=True)
            except OSError as problem:
                raise InputError(
                    f"`{self.directory}` cannot be made: {problem.strerror}. Choose another place."
                ) from problem
            write_whole(self.directory / _CONFIGURATION, json.dumps(asdict(configuration), indent=1).encode() + b"\n")

    def save(self, told: dict[str, Any]) -> None:
        """Write down what was counted; where the disk is full, that is lost and nothing else."""
        with suppress(InputError):
            write_whole(self.directory / f"progress-{self._node:04d}.json", json.dumps(told).encode())

    def read(self, step: int) -> dict[str, Any] | None:
        """What was counted up to a checkpoint: by the node here, else by the one that knows most.

        Args:
            step: of the checkpoint; what was made later does not count.
        """
        found = []
        for path in sorted(self.directory.glob("progress-*.json")):
            with suppress(OSError, ValueError, KeyError, TypeError):
                told = json.loads(path.read_bytes())
                found.append((told["step"], path.stem.endswith(f"{self._node:04d}"), told))
        if not found or not step:
            return None
        told = max(found, key=lambda each: each[:2])[2]
        for name in ("losses", "accuracies"):
            told[name] = [each for each in told[name] if each[0] <= step]
        return dict(told)


def asked_before(directory: str | Path) -> Configuration | None:
    """What was asked for when the run in a directory was begun; None: there is none.

    Raises:
        InputError: what is there cannot be read.
    """
    path = Path(directory) / _CONFIGURATION
    try:
        return Configuration.of(json.loads(path.read_bytes()))
    except FileNotFoundError:
        return None
    except NotADirectoryError as problem:
        raise InputError(f"`--resume {directory}` is no directory. Choose another place.") from problem
    except (OSError, ValueError, TypeError, AttributeError) as problem:
        raise InputError(
            f"`{path}` is damaged: {problem}. Remove it and give all settings as they were, or begin another run."
        ) from problem
