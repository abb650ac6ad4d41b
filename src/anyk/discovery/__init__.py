"""Codes found by search: tables that lose less than the closed forms, for one task, one precision, one set of workers.

objective     the loss over survivor sets, all side by side, and its slope
alternating   the published search: decoding weights, left table, right table in turn
gradient      quasi-Newton steps (L-BFGS)
newton        damped Gauss-Newton steps, which follow the narrow valleys of small precisions
search        the loop around them: epochs, falling noise, fresh sets, the best so far
scoring       errors on sets that played no part, and the code that comes out
found         what is found, and the file that keeps it
"""

from anyk.discovery.found import Discovery, Score
from anyk.discovery.goal import OBJECTIVES, Goal, checked, either
from anyk.discovery.methods import METHODS
from anyk.discovery.scoring import scored
from anyk.discovery.search import RANDOM, Step, search

__all__ = [
    "METHODS",
    "OBJECTIVES",
    "RANDOM",
    "Discovery",
    "Goal",
    "Score",
    "Step",
    "checked",
    "either",
    "scored",
    "search",
]
