"""What would happen with ten thousand workers: the job's rules on arrays of drawn times instead of on an engine."""

from anyk.simulation.answers import answer_seconds
from anyk.simulation.completion import Completion
from anyk.simulation.order import kth_smallest
from anyk.simulation.simulate import simulate
from anyk.simulation.speculation import SPECULATIONS, Speculation
from anyk.simulation.strategy import Strategy, strategy

__all__ = [
    "SPECULATIONS",
    "Completion",
    "Speculation",
    "Strategy",
    "answer_seconds",
    "kth_smallest",
    "simulate",
    "strategy",
]
