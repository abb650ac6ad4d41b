"""The largest memory this process held while something went on."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


@contextmanager
def peak_memory() -> Iterator[list[int]]:
    """Yields a list that holds the peak in bytes at the end; it stays empty where the system does not tell.

    Counted is all resident memory of this process, shared blocks included, from when the block is entered.
    """
    seen: list[int] = []
    # 5 sets the high-water mark back to what is resident now; only Linux has it
    with suppress(OSError):
        _RESET.write_text("5")
        seen.append(0)
    try:
        yield seen
    finally:
        if seen:
            seen[:] = _high_water()


def _high_water() -> list[int]:
    with suppress(OSError, ValueError, IndexError):
        line = next(line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM:"))
        return [int(line.split()[1]) * 1024]
    return []
