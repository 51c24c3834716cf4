"""From a model's scores to answers, by what a label is; and from labels to what is learned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from tunewright.backends.calibration import temperature
from tunewright.backends.inputs import sorted_batches
from tunewright.recipe.schema import Kind
from tunewright.train.passes import filled

PROBLEMS: dict[Kind, str] = {
    "one": "single_label_classification",
    "several": "multi_label_classification",
    "number": "regression",
}
"""`problem_type` in a config of Transformers."""


@dataclass(frozen=True)
class Answers:
    """What scores mean.

    Args:
        centre, spread: numbers are learned less their mean, over their spread; of classes the
            spread is one over the temperature. In the folder that is written the last layer has
            both in its weights.
    """

    kind: Kind
    centre: float = 0.0
    spread: float = 1.0

    def of(self, scores: np.ndarray) -> np.ndarray:
        """float64 (rows, outputs): shares that sum to one, shares, or numbers."""
        from scipy.special import expit, softmax

        scores = self.in_units(scores.astype(np.float64))
        if self.kind == "number":
            return scores
        shares: np.ndarray = softmax(scores, axis=-1) if self.kind == "one" else expit(scores)
        return shares

    def in_units(self, scores: np.ndarray) -> np.ndarray:
        """Scores as the written folder gives them."""
        return scores if self.as_learned else scores * self.spread + self.centre

    def calibrated(self, shares: np.ndarray, targets: np.ndarray) -> Answers:
        """With the temperature that fits these answers to these rows, see `temperature`."""
        return replace(self, spread=self.spread / temperature(shares, targets, self.kind))

    @property
    def as_learned(self) -> bool:
        """Whether scores are in the units of the labels."""
        return self.centre == 0.0 and self.spread == 1.0

    def learned(self, targets: np.ndarray) -> np.ndarray:
        """What the loss compares scores with: int64 (rows), or float32."""
        if self.kind == "one":
            return targets
        return ((targets - self.centre) / self.spread).astype(np.float32)

    def by(
        self,
        scores: Callable[[np.ndarray], np.ndarray],
        lengths: np.ndarray,
        outputs: int,
        *,
        budget: int,
    ) -> np.ndarray:
        """float64 (rows, outputs), computed in order of length.

        Args:
            scores: gives those of rows by their numbers, (rows, outputs).
            lengths: int (rows,), tokens of each row.
            budget: tokens of a batch, with padding.
        """
        found = np.zeros((len(lengths), outputs))
        for rows in sorted_batches(lengths, budget):
            found[rows] = self.of(scores(rows))
        return filled(found)


def answers_for(targets: np.ndarray, kind: Kind, *, has_bias: bool) -> Answers:
    """How labels like these are learned.

    Args:
        has_bias: of the last layer; without one it can take no centre.
    """
    if kind != "number":
        return Answers(kind)
    return Answers(kind, float(targets.mean()) if has_bias else 0.0, float(targets.std()) or 1.0)


def kind_of(problem: str | None) -> Kind:
    """What a label is, by a config's `problem_type`."""
    return next((kind for kind, name in PROBLEMS.items() if name == problem), "one")
