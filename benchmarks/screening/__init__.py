"""How well wrong answers are found, and what that costs: `python -m benchmarks.screening --help`."""
