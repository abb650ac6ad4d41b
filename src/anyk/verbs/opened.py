"""The engine a verb works on: the caller's, left open, or one of its own, closed again."""

from collections.abc import Iterator
from contextlib import contextmanager

from anyk import engines
from anyk.engines.base import Engine
from anyk.verbs.blocks import shelf_of


@contextmanager
def opened_engine(engine: str | Engine | None, workers: int) -> Iterator[Engine]:
    """An engine by name or as it is.

    Args:
        engine: a name is opened, and closed at the end; an opened engine is left open; None means ``"processes"``.
        workers: how many, where a name does not say.
    """
    if engine is not None and not isinstance(engine, str):
        yield engines.open(engine)
        return
    opened = engines.open(engine or "processes", workers=workers)
    try:
        yield opened
    finally:
        try:
            shelf_of(opened).clear()
        finally:
            opened.close()
