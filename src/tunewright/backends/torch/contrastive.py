"""The contrastive loss: rows of one class pulled together, others apart."""

from __future__ import annotations

import torch
from torch.nn import functional


def contrastive_loss(vectors: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """The mean over rows of one class, and over rows of two, of how far each pair's cosine is off.

    That of a row and another of its class should be 1, that of rows of two classes 0; the square
    counts. Both means count the same, however many classes there are. The squared error of
    cosines, as Reimers and Gurevych 2019 train sentence embeddings.

    Args:
        vectors: float (rows, width). labels: int64 (rows).
    """
    units = functional.normalize(vectors, dim=1)
    alike = labels[:, None] == labels[None, :]
    off = (units @ units.T - alike.float()).square()
    itself = torch.eye(len(units), dtype=torch.bool, device=units.device)
    pairs = torch.stack([alike & ~itself, ~alike])
    means = (off * pairs).sum(dim=(1, 2)) / pairs.sum(dim=(1, 2)).clamp(min=1)
    return means.sum() / 2
