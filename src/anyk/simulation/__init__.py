"""What would happen with ten thousand workers: the job's rules on arrays of drawn times instead of on an engine."""

from anyk.simulation.answers import answer_seconds
from anyk.simulation.order import kth_smallest

__all__ = ["answer_seconds", "kth_smallest"]
