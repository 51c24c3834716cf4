"""Early stopping and the best point, on the deciding metric."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Best:
    """Where a phase stands: the highest value so far, and the step whose weights are kept.

    `since` counts the evaluations after the highest value. Saved in checkpoints.
    """

    value: float | None = None
    step: int = 0
    since: int = 0

    def after(self, value: float, step: int, *, higher_is_better: bool, noise: float = 0.0) -> Best:
        """What is best after one more evaluation.

        Args:
            value: of the deciding metric.
            noise: a difference smaller than this says nothing; the later weights, which learned
                more at smaller rates, are kept then. A tie without noise keeps the earlier ones.
        """
        if self.value is None:
            return Best(value, step, 0)
        gain = value - self.value if higher_is_better else self.value - value
        if gain > 0:
            return Best(value, step, 0)
        return Best(self.value, step if gain > -noise else self.step, self.since + 1)

    def exhausted(self, patience: int) -> bool:
        """Whether so many evaluations brought no gain; patience 0 never stops."""
        return patience > 0 and self.since >= patience


def noise_of(scores: Mapping[str, float], metric: str, rows: int) -> float:
    """The standard error on so many rows of the share of right rows, of micro-F1, or of the RMSE.

    For metrics without ties, such as the log-loss, nothing.
    """
    if metric in ("rmse", "mae"):
        return scores[metric] / math.sqrt(2 * rows)
    share = scores.get("accuracy", scores.get("micro_f1"))
    if share is None or metric == "log_loss":
        return 0.0
    return math.sqrt(share * (1 - share) / rows)
