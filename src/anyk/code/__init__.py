"""The central value: a code, what follows from its tables, and its files."""

from anyk.code.usefulness import refuse_if_useless
from anyk.code.value import WORST_USEFUL_ERROR, Code

__all__ = ["WORST_USEFUL_ERROR", "Code", "refuse_if_useless"]
