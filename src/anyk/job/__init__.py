"""The master as a pure machine: it decides when enough has come back, what is late, lost or suspect.

Events in, instructions out, time passed in: no clock, no thread, no engine. So every race is a list of events.
"""

from anyk.job.machine import Job
from anyk.job.stop import (
    Decodability,
    Progress,
    StopRule,
    Verdict,
    deadline,
    everyone,
    first_threshold,
    until,
)
from anyk.job.table import TABLE, Row, State, Step

__all__ = [
    "Job",
    "Step",
    "State",
    "TABLE",
    "Row",
    "Decodability",
    "Progress",
    "StopRule",
    "Verdict",
    "first_threshold",
    "until",
    "deadline",
    "everyone",
]
