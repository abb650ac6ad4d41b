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
        engine: a name, an address or an object is opened, and the engine closed at the end; an opened engine is left
            open; None means ``"processes"``.
        workers: how many, where a name does not say.
    """
    if engines.is_engine(engine):
        yield engines.open(engine)
        return
    opened = engines.open("processes" if engine is None else engine, workers=workers)
    try:
        yield opened
    finally:
        try:
            shelf_of(opened).clear()
        finally:
            opened.close()
