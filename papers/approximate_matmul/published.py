"""What the authors' public data say: losses of their searches, and of the codes of their figures.

From the repository Ateet-dev/ApproxCodedMatrixMulArxiv of the paper's authors, summed up by us: for each (m, k, P) the
best and the median total loss of its logged runs that printed a positive one, and how many broke down. The paper's own
text gives no numbers for these figures.
"""

import csv
from pathlib import Path

#: (m, k, P) -> (logged runs, of which not a number, of which negative, best loss, median loss)
SEARCHES: dict[tuple[int, int, int], tuple[int, int, int, float, float]] = {}
with (Path(__file__).parent / "published_losses.csv").open(newline="") as _file:
    for _row in csv.DictReader(_file):
        _key = int(_row["inner"]), int(_row["results"]), int(_row["workers"])
        SEARCHES[_key] = (
            int(_row["runs"]),
            int(_row["not_a_number"]),
            int(_row["negative"]),
            float(_row["best_loss"]),
            float(_row["median_loss"]),
        )

#: The code of Fig. 2 that their search found, m = k = 3, P = 6: answers -> (total loss, largest error of an entry).
FOUND = {3: (5.4e-3, 7.0e-5), 4: (5.3e-4, 4.3e-5), 5: (9.6e-7, 9.4e-7), 6: (1.6e-7, 9.2e-7)}

#: What the authors' program gives when run, for k = 3, 4, 5, 6: loss / largest error of an entry / relative error.
PROGRAM = {
    "OrthoMatDot": ("15 / 2.9e-3 / 0.62", "5.0 / 2.5e-3 / 0.58", "1e-29 / 8e-18 / 1.6e-15", "5e-31 / 3e-18 / 6e-16"),
    "MatDot": ("22 / 3.4e-3 / 0.79", "6.2 / 2.3e-3 / 0.59", "5e-29 / 2e-17 / 3e-15", "4e-29 / 2e-17 / 4e-15"),
    "MatDot, points / 400": (
        "2.3e-4 / 1.6e-5 / 4e-3",
        "4e-10 / 2e-8 / 5e-6",
        "8e-19 / 2e-12 / 4e-10",
        "8e-21 / 8e-13 / 1e-10",
    ),
    "MatDot, points / 1000": (
        "3.6e-5 / 6.4e-6 / 1.6e-3",
        "1e-11 / 3.2e-9 / 8e-7",
        "3e-15 / 1e-10 / 2.3e-8",
        "2e-16 / 4e-11 / 8e-9",
    ),
    "MatDot, points / 5000": (
        "1.4e-6 / 1.3e-6 / 3.2e-4",
        "2.5e-14 / 4e-10 / 5e-8",
        "9e-15 / 1e-10 / 2.7e-8",
        "2e-15 / 1e-10 / 2.3e-8",
    ),
    "MatDot, points / 10000": (
        "3.6e-7 / 6.4e-7 / 1.6e-4",
        "1.7e-13 / 1.4e-9 / 2e-7",
        "7e-15 / 3e-10 / 4e-8",
        "4e-16 / 1e-10 / 1.9e-8",
    ),
    "MatDot, points / 70000": (
        "7.6e-9 / 1.2e-7 / 2.4e-5",
        "1.5e-9 / 5e-8 / 1.3e-5",
        "1.7e-10 / 2e-8 / 5e-6",
        "2e-12 / 9e-9 / 1e-6",
    ),
}

#: The codes that the authors stored for the regression, evaluated by residuals: (name, (m, k, P)) ->
#: (total loss, root mean square of the relative error over sets, its worst).
STORED = {
    ("found by the authors' search", (5, 5, 7)): (12.0, 0.34, 0.63),
    ("found by the authors' search", (5, 6, 8)): (0.052, 1.9e-2, 4.8e-2),
    ("found by the authors' search", (5, 7, 9)): (1.2e-4, 8e-4, 3.4e-3),
    ("found by the authors' search", (5, 8, 10)): (7.7e-5, 6e-4, 3.6e-3),
    ("found by the authors' search", (5, 9, 11)): (1e-15, 2e-9, 7e-9),
    ("found by the authors' search", (20, 20, 22)): (348.0, 0.27, 0.32),
    ("MatDot, small points", (5, 5, 7)): (4.4e-4, 2.0e-3, 3.9e-3),
    ("MatDot, small points", (5, 6, 8)): (7.5e-5, 7e-4, 2.7e-3),
    ("MatDot, small points", (5, 7, 9)): (2.1e-7, 3e-5, 1.4e-4),
    ("MatDot, small points", (5, 8, 10)): (9.9e-8, 2e-5, 5e-5),
    ("MatDot, small points", (20, 20, 22)): (2444.0, 0.73, 0.75),
    ("OrthoMatDot", (5, 5, 7)): (21.8, 0.46, 0.59),
    ("OrthoMatDot", (20, 20, 22)): (384.0, 0.29, 0.32),
    ("OrthoMatDot", (50, 50, 52)): (16095.0, 0.49, 0.50),
}
