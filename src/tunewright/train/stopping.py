"""Early stopping and the best point, on the deciding metric."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Best:
    """The best evaluation of a phase so far. Saved in checkpoints."""

    value: float | None = None
    step: int = 0
    since: int = 0

    def after(self, value: float, step: int, *, higher_is_better: bool) -> Best:
        """What is best after one more evaluation. A tie keeps the earlier point."""
        if self.value is None or (value > self.value if higher_is_better else value < self.value):
            return Best(value, step, 0)
        return Best(self.value, self.step, self.since + 1)

    def exhausted(self, patience: int) -> bool:
        """Whether so many evaluations brought no gain; patience 0 never stops."""
        return patience > 0 and self.since >= patience
