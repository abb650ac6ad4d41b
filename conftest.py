"""What pytest may collect here: doctests of a module whose library is not installed are left out."""

from importlib.util import find_spec

# file pattern below this directory -> the optional library it imports (see the extras in pyproject.toml)
OPTIONAL = {
    "src/anyk/engines/dask.py": "distributed",
    "src/anyk/engines/mpi.py": "mpi4py",
    "src/anyk/engines/ray.py": "ray",
    "src/anyk/nn/*": "torch",
    "tests/nn/*": "torch",
    "tests/golden/make_*.py": "mpmath",
}

collect_ignore_glob = [pattern for pattern, library in OPTIONAL.items() if find_spec(library) is None]
