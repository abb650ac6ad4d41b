"""Importing the package loads the core alone."""

import subprocess
import sys

HEAVY = ("click", "dask", "distributed", "matplotlib", "mpi4py", "ray", "rich", "scipy", "torch")


def test_importing_anyk_loads_no_extra_and_no_scipy():
    program = f"import sys, anyk; print([name for name in {HEAVY} if name in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)

    assert loaded.stdout.strip() == "[]"


def test_every_public_name_exists():
    import anyk

    assert all(hasattr(anyk, name) for name in anyk.__all__)
