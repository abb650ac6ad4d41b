"""A plan: the candidates in order, and how they read."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from anyk.planning.bridge import Crossing
from anyk.planning.candidate import Candidate
from anyk.planning.costs import CostModel
from anyk.planning.request import Request
from anyk.planning.words import columns, in_bytes, in_seconds

#: Heads of the table of candidates, and to which side they stand.
HEADS = ("", "code", "answers", "expected", "1 % later", "memory", "upload", "download", "error", "worst", "wrong")
SIDES = ">" + "<" + ">" * 9
BRIDGE_HEADS = ("cut", "code", "any", "memory", "upload", "download", "")
BRIDGE_SIDES = "<<>>>><"


@dataclass(frozen=True, eq=False, repr=False)
class Plan:
    """Which code to use, and what was predicted of it and of the others; ``str(plan)`` is a table.

    Args:
        request: what was asked.
        candidates: the fastest ones, best first, with the best of every family among them.
        trade_off: codes with one share of the work per worker, from Polynomial to MatDot: threshold against download.
        considered: how many codes were compared by their counts.
        costs: the speeds behind the times.
        notes: what was left out, and why.
    """

    request: Request
    candidates: tuple[Candidate, ...]
    trade_off: tuple[Crossing, ...]
    considered: int
    costs: CostModel
    notes: tuple[str, ...] = ()

    @property
    def best(self) -> Candidate:
        """The recommended one."""
        return self.candidates[0]

    def __repr__(self) -> str:
        return f"Plan({self.best.name!r}, {in_seconds(self.best.seconds)}, {len(self.candidates)} candidates)"

    def __str__(self) -> str:
        lines = [self.title, "", *columns([HEADS, *self.rows()], SIDES)]
        if self.trade_off:
            lines += ["", self.bridge_title, "", *columns([BRIDGE_HEADS, *self.bridge_rows()], BRIDGE_SIDES)]
        lines += ["", f"Use {self.best.name}: {self.best.reason}"]
        return "\n".join(lines + [f"- {note}" for note in self.notes])

    @property
    def title(self) -> str:
        """What was asked, in a line."""
        asked, shapes = self.request, "{} x {} times {} x {}".format(*self.request.shape_a, *self.request.shape_b)
        parts = [f"{shapes} in {asked.dtype}", f"{asked.workers} workers"]
        parts += [f"{asked.stragglers} may be missing"] if asked.stragglers else []
        parts += [f"{asked.wrong} wrong ({asked.model})"] if asked.wrong else []
        parts += [f"error up to {asked.tolerance:g}"] if asked.tolerance is not None else []
        parts += [f"{in_bytes(asked.memory_per_worker)} per worker"] if asked.memory_per_worker is not None else []
        parts += ["A placed"] if asked.placed else []
        parts += [f"link {in_bytes(asked.bandwidth)}/s"] if asked.bandwidth is not None else []
        return ", ".join(parts)

    def rows(self) -> Iterator[tuple[str, ...]]:
        """The candidates as cells under `HEADS`."""
        for place, each in enumerate(self.candidates, start=1):
            here = not each.is_distributed
            yield (
                str(place),
                each.short_name,
                "" if here else f"{each.answers}/{each.code.workers}",
                in_seconds(each.seconds),
                in_seconds(each.late_seconds),
                in_bytes(each.memory),
                in_bytes(each.upload),
                in_bytes(each.download),
                f"{each.error:.0e}",
                f"{each.worst_error:.0e}",
                "" if here else "{random}/{adversarial}".format(**each.correctable),
            )

    @property
    def bridge_title(self) -> str:
        """What the second table compares."""
        first = self.trade_off[0]
        share = first.rows * first.inner * first.cols
        return f"From Polynomial to MatDot, 1/{share} of the work per worker: answers needed against traffic"

    def bridge_rows(self) -> Iterator[tuple[str, ...]]:
        """The trade-off as cells under `BRIDGE_HEADS`."""
        for each in self.trade_off:
            yield (
                f"{each.rows}x{each.inner}x{each.cols}",
                each.family,
                str(each.needed),
                in_bytes(each.memory),
                in_bytes(each.upload),
                in_bytes(each.download),
                "" if each.fits else "too much memory",
            )

    def as_dict(self) -> dict[str, Any]:
        """Everything in plain types, for JSON."""
        asked = self.request
        names = ("workers", "stragglers", "wrong", "model", "screen", "tolerance", "dtype")
        limits = ("memory_per_worker", "bandwidth", "delay_unit", "cores", "local", "placed")
        return {
            "request": {"shape_a": asked.shape_a, "shape_b": asked.shape_b}
            | {name: getattr(asked, name) for name in names + limits}
            | {"delays": None if asked.delays is None else repr(asked.delays)[:200]},
            "best": self.best.as_dict(),
            "candidates": [each.as_dict() for each in self.candidates],
            "trade_off": [vars(each) for each in self.trade_off],
            "considered": self.considered,
            "costs": vars(self.costs),
            "notes": list(self.notes),
        }
