"""Right answers against the threshold: nobody is to be suspected."""

from collections.abc import Iterator

import numpy as np

import anyk
from anyk.probes import draw_columns
from anyk.screening import Evidence, columns_for
from benchmarks.screening.words import DTYPES, SIZES, Row, word

SIDE = 256
DRIFT = 1e-4


def clean(words: int) -> Iterator[Row]:
    """Right words, fresh and drifted: those suspected, and the loudest in shares of the threshold."""
    rng = np.random.default_rng(0)
    for dtype in DTYPES:
        for state, drift in (("fresh", 0.0), ("drifted", DRIFT)):
            seen, suspected, loudest = 0, 0, 0.0
            for trial in range(words):
                if seen >= words:
                    break
                workers, threshold = SIZES[trial % len(SIZES)]
                code = anyk.codes.mds(threshold, workers)
                answers = word(code, rng, dtype, side=SIDE)
                if drift:
                    answers = {task: y * (1 + drift * rng.standard_normal(y.shape)) for task, y in answers.items()}
                columns = draw_columns(SIDE, columns_for(workers - threshold - 1), rng)
                evidence = Evidence.of(code, answers, columns, drift or None)
                syndrome = evidence.syndrome(evidence.finite)
                seen += evidence.among
                suspected += int((syndrome.loudness > syndrome.limit).sum())
                loudest = max(loudest, float(syndrome.loudness.max() / syndrome.limit))
            yield {
                "dtype": dtype,
                "state": state,
                "words": seen,
                "suspected": suspected,
                "loudest / threshold": loudest,
            }
