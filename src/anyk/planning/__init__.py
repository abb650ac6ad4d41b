"""Which code to use: `plan` compares and explains, `choose` decides for `anyk.matmul`."""

from anyk.planning.calibration import load, place, store
from anyk.planning.candidate import Candidate
from anyk.planning.choose import choose
from anyk.planning.costs import CostModel
from anyk.planning.request import Request
from anyk.planning.result import Plan
from anyk.planning.search import plan

__all__ = ["Candidate", "CostModel", "Plan", "Request", "choose", "load", "place", "plan", "store"]
