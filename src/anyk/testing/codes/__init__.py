"""What every code must do, as tests to run on your own.

Derive a class whose name starts with ``Test``, say how to make the code, and let pytest find it::

    class TestParity(CodeContract):
        def make(self):
            return parity(rows=4)

No tolerance is tuned. Whether a set decodes is asked of the tables: what is missing must be less (more) than what
rounding costs. A decoded product may miss its *expected* error e by the factor that Markov's inequality allows on
squares, P(error > t e) < 1 / t^2; the expected error itself is compared with the mean of many products by Student's t.
A correct code fails a test once in a million, a wrong one by orders of magnitude.
"""

from anyk.testing.codes.claims import Claims
from anyk.testing.codes.encoding import Encoding
from anyk.testing.codes.products import Products
from anyk.testing.codes.thresholds import Thresholds
from anyk.testing.codes.values import Values

__all__ = ["CodeContract"]


class CodeContract(Thresholds, Products, Encoding, Claims, Values):
    """The contract of a code; derive from it and override ``make``."""
