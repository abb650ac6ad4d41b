"""What the tests of discovery share: random tables, all survivor sets, and the loss by its definition."""

from itertools import combinations

import numpy as np

from anyk.discovery.tables import drawn

#: rows, inner, cols, workers, results
SHAPES = [(1, 3, 1, 5, 4), (1, 4, 1, 6, 4), (2, 2, 1, 7, 5), (2, 1, 3, 8, 6), (2, 2, 2, 10, 8)]


def tables(shape, seed=0):
    rows, inner, cols, workers, _ = shape
    return drawn(rows, inner, cols, workers, np.random.default_rng(seed))


def all_sets(workers, results):
    return np.array(list(combinations(range(workers), results)), dtype=np.intp)


def defined_errors(left, right, sets, noise):
    """One least-squares problem per set and wanted block, as the definition says."""
    (rows, inner, workers), cols = left.shape, right.shape[1]
    left = left / np.linalg.norm(left, axis=(0, 1))
    right = right / np.linalg.norm(right, axis=(0, 1))
    columns = np.array([np.multiply.outer(left[..., w], right[..., w]).ravel() for w in range(workers)]).T
    found = []
    for tasks in sets:
        stacked = np.vstack([columns[:, tasks], noise * np.eye(len(tasks))])
        total = 0.0
        for i in range(rows):
            for l in range(cols):
                target = np.zeros((rows, inner, inner, cols))
                for j in range(inner):
                    target[i, j, j, l] = 1
                goal = np.append(target.ravel(), np.zeros(len(tasks)))
                weights = np.linalg.lstsq(stacked, goal, rcond=None)[0]
                total += np.sum((stacked @ weights - goal) ** 2)
        found.append(np.sqrt(total / (rows * inner * cols)))
    return np.array(found)
