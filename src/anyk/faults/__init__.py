"""What can go wrong with workers: one model per file, the same for the simulator and for real processes.

A model is a frozen value with one method, ``fate(draw)`` (``base.py``). To add one: a file, and a row in `FAULTS`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields

from anyk.errors import InputError
from anyk.faults.base import Corruption, Draw, Fate, FateOf, FaultModel, seeded
from anyk.faults.bimodal import Bimodal
from anyk.faults.bursts import Bursts
from anyk.faults.combine import Combined, combine
from anyk.faults.corruption import Corrupting
from anyk.faults.crash import Crash
from anyk.faults.group_outage import GroupOutage
from anyk.faults.log_normal import LogNormal
from anyk.faults.pareto import Pareto
from anyk.faults.shifted_exponential import ShiftedExponential
from anyk.faults.slow_nodes import SlowNodes
from anyk.faults.stop import Stop
from anyk.faults.trace import Trace
from anyk.faults.wrong_bits import BitFlip, StuckBit
from anyk.faults.wrong_blocks import LowRank, Stale, SwappedBlocks
from anyk.faults.wrong_values import GaussianError, NonFinite, PaperError, Scaled, Zeros

__all__ = [
    "FAULTS",
    "PRESETS",
    "Bimodal",
    "BitFlip",
    "Bursts",
    "Combined",
    "Corrupting",
    "Corruption",
    "Crash",
    "Draw",
    "Family",
    "Fate",
    "FateOf",
    "FaultModel",
    "GaussianError",
    "GroupOutage",
    "LogNormal",
    "LowRank",
    "NonFinite",
    "PaperError",
    "Pareto",
    "Preset",
    "Scaled",
    "ShiftedExponential",
    "SlowNodes",
    "Stale",
    "Stop",
    "StuckBit",
    "SwappedBlocks",
    "Trace",
    "Zeros",
    "combine",
    "preset",
    "seeded",
]


@dataclass(frozen=True)
class Family:
    """One kind of fault model.

    Args:
        model: its class.
        description: what it does, in one line.
        example: a small instance; the contract tests run on it.
        correlated: across what luck is shared: some of ``"rounds"`` (of one worker) and ``"ranks"`` (of one round).
    """

    model: type[FaultModel]
    description: str
    example: FaultModel
    correlated: tuple[str, ...] = ()


#: Every fault model. Contract tests, command line and documentation read this table.
FAULTS: Mapping[str, Family] = {
    "shifted-exponential": Family(ShiftedExponential, "a least time, plus an exponential wait", ShiftedExponential()),
    "pareto": Family(Pareto, "a heavy tail", Pareto(shape=2.0)),
    "bimodal": Family(Bimodal, "normal, or a straggler with some probability", Bimodal(probability=0.1, factor=8.0)),
    "log-normal": Family(LogNormal, "many small influences multiplied", LogNormal(sigma=0.2, ceiling=3.0)),
    "bursts": Family(Bursts, "as measured: calm, rare long stalls, some together", Bursts(burst=0.2), ("ranks",)),
    "slow-nodes": Family(SlowNodes, "some workers are slow for good", SlowNodes(fraction=0.25), ("rounds",)),
    "trace": Family(Trace, "recorded delays, replayed", Trace([[1.0, 1.25, 4.0], [1.5, 1.0, 1.0]])),
    "crash": Family(Crash, "workers die", Crash(probability=0.05, after_seconds=0.5)),
    "stop": Family(Stop, "workers fall silent", Stop(probability=0.05, after_seconds=0.5)),
    "group-outage": Family(GroupOutage, "a host goes down with all its workers", GroupOutage(2, 0.25), ("ranks",)),
    "bit-flip": Family(BitFlip, "bits of an answer are flipped", BitFlip(flips=2, probability=0.1)),
    "stuck-bit": Family(StuckBit, "a bit of every number is stuck", StuckBit(bit=12, probability=0.1)),
    "gaussian-error": Family(GaussianError, "noise on an answer", GaussianError(size=0.01, probability=0.1)),
    "paper-error": Family(PaperError, "0.5 % of the numbers off by up to 5", PaperError(probability=0.1)),
    "scaled": Family(Scaled, "an answer times a factor", Scaled(factor=-1.0, probability=0.1)),
    "zeros": Family(Zeros, "an answer of zeros", Zeros(probability=0.1)),
    "non-finite": Family(NonFinite, "NaN or infinity in an answer", NonFinite(value="inf", probability=0.1)),
    "swapped-blocks": Family(SwappedBlocks, "parts of an answer change places", SwappedBlocks(probability=0.1)),
    "stale": Family(Stale, "the answer to the product before", Stale(probability=0.1)),
    "low-rank": Family(LowRank, "wrong answers with one cause", LowRank(rank=1, probability=0.1)),
    "combine": Family(Combined, "several of these at once", combine(Pareto(shape=1.5), Crash(probability=0.1))),
}


@dataclass(frozen=True)
class Preset:
    """A fault model with a name, a setting and a source.

    Args:
        build: makes the model from the setting.
        setting: parameter name -> value; None where the user must give one.
        source: where the numbers come from, in one line.
    """

    build: Callable[..., FaultModel]
    setting: Mapping[str, float | str | None]
    source: str


#: Named settings, in units of one nominal task time.
PRESETS: Mapping[str, Preset] = {
    "none": Preset(combine, {}, "nothing happens: the control"),
    "lambda": Preset(Bursts, {}, "515 rounds on 256 AWS Lambda workers (Sequential gradient coding, 2023), refitted"),
    "slow-node": Preset(
        SlowNodes,
        {"fraction": 1 / 16, "factor": 2.5},
        "one slowed worker: 2.3 to 2.5x (ByteDance StragglerAnalysis traces)",
    ),
    "dolly": Preset(
        Bimodal,
        {"probability": 0.05, "factor": 8.0},
        "Facebook and Bing clusters: stragglers 8x the median (NSDI 2013)",
    ),
    "shifted-exp": Preset(
        ShiftedExponential,
        {"shift": 0.66, "scale": 0.35},
        "the textbook model, fitted to the Lambda log; its tail is too light",
    ),
    "pareto": Preset(Pareto, {"shape": 2.0}, "the textbook heavy tail; shapes 1.5 to 2.5 are usual"),
    "bimodal": Preset(
        Bimodal,
        {"probability": 0.1, "factor": 10.0},
        "experiment scripts: the product repeated 10 times, p = 0.1 to 0.3",
    ),
    "llm-imbalance": Preset(
        LogNormal,
        {"sigma": 0.2, "ceiling": 3.0},
        "uneven sequences in LLM training (ByteDance StragglerAnalysis traces)",
    ),
    "crash": Preset(Crash, {"probability": 0.01}, "a rate to set yourself: crash:0.05"),
    "bit-flip": Preset(BitFlip, {"probability": 0.05}, "silent errors at a rate to set yourself: bit-flip:0.1"),
    "wrong-block": Preset(GaussianError, {"probability": 0.05}, "whole answers wrong without notice: wrong-block:0.1"),
    "trace": Preset(Trace, {"source": None}, "a file of your own: trace:delays.csv"),
}


def preset(name: str, unit_seconds: float = 1.0) -> FaultModel:
    """A fault model by name, for the command line and for a quick try.

    Values after a colon replace the setting in order: ``"pareto:1.5"``, ``"bimodal:0.2,5"``, ``"trace:delays.csv"``.

    Args:
        name: a key of `PRESETS`, perhaps with values.
        unit_seconds: seconds of one nominal task time; models without a unit ignore it.

    Returns:
        The fault model.

    Raises:
        InputError: no such name, or values that do not fit.

    >>> preset("dolly", unit_seconds=0.2)
    Bimodal(probability=0.05, factor=8.0, unit_seconds=0.2)
    """
    head, _, text = name.partition(":")
    if head not in PRESETS:
        raise InputError(f"`preset({name!r})` does not exist. Choose one of: {', '.join(PRESETS)}.")
    chosen = PRESETS[head]
    setting = {**chosen.setting, **_given(name, tuple(chosen.setting), text)}
    missing = [field for field, value in setting.items() if value is None]
    if missing:
        raise InputError(
            f"`preset({name!r})` needs a {missing[0]} after a colon, and none came. Write {head}:delays.csv."
        )
    return chosen.build(**setting, **_unit(chosen, unit_seconds))


def _given(name: str, parameters: tuple[str, ...], text: str) -> dict[str, float | str]:
    """The values after the colon, under their names."""
    if parameters == ("source",):
        return {"source": text} if text else {}
    values = text.split(",") if text else []
    if len(values) > len(parameters):
        known = ", ".join(parameters) or "no values"
        raise InputError(f"`preset({name!r})` takes {known}, and {len(values)} values came. Use the class for more.")
    return {parameter: _value(name, value) for parameter, value in zip(parameters, values, strict=False)}


def _value(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError(f"`preset({name!r})` takes numbers, and {text!r} came. For example pareto:1.5.") from None


def _unit(chosen: Preset, unit_seconds: float) -> dict[str, float]:
    """The unit, for models that have one."""
    model = chosen.build
    named = {field.name for field in fields(model)} if isinstance(model, type) else set()
    return {"unit_seconds": unit_seconds} if "unit_seconds" in named else {}
