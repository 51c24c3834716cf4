"""The loss, by what a label is."""

from __future__ import annotations

import torch
from torch.nn import functional

from tunewright.recipe.schema import Kind


def summed_loss(
    scores: torch.Tensor,
    targets: torch.Tensor,
    kind: Kind,
    *,
    weights: torch.Tensor | None,
    smoothing: float,
) -> torch.Tensor:
    """Summed over rows: cross-entropy; the mean of it over labels; or the squared error.

    Args:
        scores: float (rows, outputs), before softmax.
        targets: what `Answers.learned` gives.
        weights: float (labels), of each label in the loss.
        smoothing: share of a target that goes to all labels alike.
    """
    if kind == "one":
        return functional.cross_entropy(
            scores, targets, weight=weights, label_smoothing=smoothing, reduction="sum"
        )
    if kind == "number":
        return functional.mse_loss(scores[:, 0], targets, reduction="sum")
    smooth = targets * (1 - smoothing) + smoothing / 2
    each = functional.binary_cross_entropy_with_logits(
        scores, smooth, pos_weight=weights, reduction="none"
    )
    return each.mean(dim=1).sum()
