"""The memory a product reports."""

import subprocess
import sys

import numpy as np
import pytest

import anyk

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux resets the high-water mark")


def test_the_peak_counts_what_was_held_and_freed_again():
    # in a process of its own, so that no memory freed earlier is lying about
    program = """
import numpy as np
from anyk.verbs.peak import peak_memory
with peak_memory() as before:
    pass
with peak_memory() as peak:
    np.ones(40 << 20, np.uint8)
print(peak[0] - before[0])
"""
    more = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)

    # the pages of 40 MiB were touched; what the allocator keeps beside them is far smaller
    assert int(more.stdout) > 30 << 20


def test_a_product_reports_its_peak():
    A = np.ones((300, 300))
    product = anyk.matmul(A, A, anyk.codes.matdot(2, 4), engine="inline")

    assert product.peak_bytes > A.nbytes


def test_nothing_is_claimed_where_the_system_does_not_tell(monkeypatch, tmp_path):
    monkeypatch.setattr("anyk.verbs.peak._RESET", tmp_path / "none" / "clear_refs")

    assert anyk.matmul(np.eye(4), np.eye(4), anyk.codes.matdot(2, 4), engine="inline").peak_bytes is None
