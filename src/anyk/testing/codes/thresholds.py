"""How many answers it takes."""

import numpy as np

from anyk.testing.codes.kit import Kit, error_parts, new_rng
from anyk.weights import survivor_sets


class Thresholds(Kit):
    """Thresholds are what the tables say."""

    def test_any_threshold_many_answers_decode(self) -> None:
        """From the exact threshold on, what a set cannot know is less than rounding costs anyway."""
        code = self.make()
        if code.exact_threshold > code.workers:
            return
        for tasks in survivor_sets(code.workers, code.exact_threshold, self.sets, new_rng()):
            residual, rounding = error_parts(code, tasks)
            assert residual <= rounding, (
                f"tasks {tasks.tolist()} do not decode: {residual:.1e} is missing, rounding costs {rounding:.1e}. "
                f"Is the exact threshold {code.exact_threshold} too small?"
            )

    def test_the_recovery_threshold_holds_the_design_error(self) -> None:
        """A job takes sets up to twice the design error for decoded; most sets must be."""
        code = self.make()
        if not code.is_exact:
            error = float(np.median(code.errors(code.recovery_threshold, sets=self.sets, rng=new_rng())))
            assert error <= 2 * code.design_error, f"the median set errs by {error:.1e}, not {code.design_error:.1e}"

    def test_one_answer_fewer_does_not_decode(self) -> None:
        """The threshold is the least: most sets one smaller fail, or some where smaller sets decode by design."""
        code = self.make()
        if not code.is_exact:
            error = float(np.median(code.errors(code.recovery_threshold - 1, sets=self.sets, rng=new_rng())))
            assert error > 2 * code.design_error, (
                f"{code.recovery_threshold - 1} answers already err by {error:.1e} only"
            )
        if code.exact_threshold == 1 or code.exact_threshold > code.workers:
            return
        parts = [
            error_parts(code, tasks)
            for tasks in survivor_sets(code.workers, code.exact_threshold - 1, self.sets, new_rng())
        ]
        fail = np.mean([residual > rounding for residual, rounding in parts])
        assert fail > (0 if self.smaller_sets_decode else 0.5), (
            f"{1 - fail:.0%} of the sets of {code.exact_threshold - 1} tasks decode. Is the exact threshold "
            f"{code.exact_threshold} too large? If they should decode, declare smaller_sets_decode = True."
        )
