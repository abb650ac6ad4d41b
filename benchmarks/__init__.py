"""Measurements of anyk, one stage per file: `python -m benchmarks`, or `make bench`.

A file `bench_<stage>.py` has one function `run(tiny: bool) -> list[dict]`: one row per measurement, with the same keys
in every row, times in seconds. With `tiny` it takes well under a second, so that the tests can run it.
"""
