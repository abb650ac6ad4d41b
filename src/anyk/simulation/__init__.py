"""What would happen with ten thousand workers: the job's rules on arrays of drawn times instead of on an engine."""

from anyk.simulation.answers import answer_seconds
from anyk.simulation.completion import Completion
from anyk.simulation.fitting import Fits, Fitted, fit
from anyk.simulation.order import kth_smallest
from anyk.simulation.simulate import named, simulate
from anyk.simulation.speculation import SPECULATIONS, Speculation
from anyk.simulation.strategy import Strategy, strategy
from anyk.simulation.traces import trace_row, write_trace

__all__ = [
    "SPECULATIONS",
    "Completion",
    "Fits",
    "Fitted",
    "Speculation",
    "Strategy",
    "answer_seconds",
    "fit",
    "kth_smallest",
    "named",
    "simulate",
    "strategy",
    "trace_row",
    "write_trace",
]
