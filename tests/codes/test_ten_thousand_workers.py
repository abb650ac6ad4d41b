"""Codes of 10,000 workers are made in the memory of their tables: a table of P x P numbers alone would take 800 MB."""

import json
import subprocess
import sys

import pytest

PROGRAM = """
import json, resource, sys
import anyk

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)

anyk.codes.matdot(4, 16), anyk.codes.approximate_matdot(4, 16, results=5)
before = peak()
code = eval("anyk.codes." + sys.argv[1])
told = code.expected_error(range(0, 10_000, 3)), code.expected_error(range(10_000))
print(json.dumps({"grown": peak() - before, "workers": code.workers, "errors": told}))
"""

#: Megabytes: the largest of these takes about half of it.
BOUND = 100

CALLS = [
    "matdot(4, workers=10_000)",
    "matdot(4, workers=10_000, basis='chebyshev')",
    "mds(10, 10_000)",
    "polynomial(4, 4, 10_000)",
    "polydot(2, 2, 2, 10_000)",
    "generalized_polydot(3, 2, 3, 10_000)",
    "random_khatri_rao(4, 4, 10_000, rng=0)",
    "replication(2, 2, 2, copies=1250)",
    "approximate_matdot(4, 10_000, results=5)",
    "approximate_polydot(2, 2, 2, 10_000)",
]


@pytest.mark.parametrize("call", CALLS)
def test_a_code_of_ten_thousand_workers_fits_in_little_memory(call):
    ran = subprocess.run([sys.executable, "-c", PROGRAM, call], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)

    assert told["workers"] == 10_000
    assert told["grown"] < BOUND
    # a third of the answers decode as all of them do, and both to what the code promises
    assert max(told["errors"]) < (1e-6 if "approximate" in call else 1e-13)
