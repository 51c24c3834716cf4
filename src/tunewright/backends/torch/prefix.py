"""The frozen prefix: what the frozen blocks answer for a row is computed once and kept."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import nn

from tunewright.backends.torch.cut import Batch, Cut

MIB = 1 << 20


class Prefix:
    """Activations at a cut, for all rows of some parts."""

    def __init__(self, cut: Cut) -> None:
        self.cut = cut
        self._kept: dict[str, tuple[torch.Tensor, np.ndarray]] = {}

    @property
    def mib(self) -> float:
        """Memory of the kept activations."""
        return sum(flat.numel() * flat.element_size() for flat, _ in self._kept.values()) / MIB

    def build(
        self, part: str, lengths: np.ndarray, batches: Iterator[tuple[np.ndarray, Batch]]
    ) -> None:
        """Compute and keep the activations of a part, packed without padding."""
        starts = np.concatenate([[0], np.cumsum(lengths)])
        flat: torch.Tensor | None = None
        for rows, batch in batches:
            hidden = self.cut.activations(batch)
            if flat is None:
                flat = torch.empty(int(starts[-1]), hidden.shape[-1], dtype=hidden.dtype)
            for index, row in enumerate(rows):
                flat[starts[row] : starts[row + 1]] = hidden[index, : lengths[row]]
        if flat is not None:
            self._kept[part] = (flat, starts)

    def read(self, part: str, rows: np.ndarray) -> torch.Tensor:
        """(rows, longest row, width), zeros as padding."""
        flat, starts = self._kept[part]
        kept = [flat[starts[row] : starts[row + 1]] for row in rows]
        return nn.utils.rnn.pad_sequence(kept, batch_first=True)

    def has(self, part: str) -> bool:
        """Whether this part's activations are kept."""
        return part in self._kept
