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
