"""Early stopping and the best point, on the deciding metric."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Best:
    """The best evaluation of a phase so far. Saved in checkpoints."""

    value: float | None = None
    step: int = 0
    since: int = 0
    log_loss: float | None = None

    def after(
        self,
        value: float,
        step: int,
        *,
        higher_is_better: bool,
        log_loss: float | None = None,
        noise: float = 0.0,
    ) -> Best:
        """What is best after one more evaluation. A tie keeps the earlier point.

        Args:
            value: of the deciding metric.
            noise: a difference no larger than this says nothing; log-loss, which sees every
                probability and not only which one is the largest, decides then.
        """
        if self.value is None or self._is_beaten(value, higher_is_better, log_loss, noise):
            return Best(value, step, 0, log_loss)
        return Best(self.value, self.step, self.since + 1, self.log_loss)

    def _is_beaten(
        self, value: float, higher_is_better: bool, log_loss: float | None, noise: float
    ) -> bool:
        gain = (value - self.value) * (1 if higher_is_better else -1)  # type: ignore[operator]
        if abs(gain) > noise or log_loss is None or self.log_loss is None:
            return gain > 0
        return log_loss < self.log_loss

    def exhausted(self, patience: int) -> bool:
        """Whether so many evaluations brought no gain; patience 0 never stops."""
        return patience > 0 and self.since >= patience


def noise_of(scores: Mapping[str, float], metric: str, rows: int) -> float:
    """The standard error of accuracy on so many rows; for log-loss, which has no ties, nothing."""
    accuracy = scores["accuracy"]
    return 0.0 if metric == "log_loss" else math.sqrt(accuracy * (1 - accuracy) / rows)
