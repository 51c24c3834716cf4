"""States of frozen layers where rows are packed one after another."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence

from tunewright.backends.torch.frozen import Frozen
from tunewright.backends.torch.places import Place, as_array
from tunewright.backends.torch.row_attention import SPANS


class LanguageFrozen(Frozen):
    """See `Frozen`: what is kept of a row is as long as the row."""

    proved_on = 2

    def keep_of(self, place: Place, batch: Any) -> np.ndarray:
        """See `FrozenLayers`."""
        states = place.keep(batch)[0].split(batch[SPANS].sum(1).tolist())
        return as_array(pad_sequence(list(states), batch_first=True))

    def kept(self, part: str, rows: np.ndarray) -> torch.Tensor:
        """See `Frozen`."""
        padded = super().kept(part, rows)
        lengths = self.parts[part].inputs.lengths[rows].tolist()
        return torch.cat([row[:length] for row, length in zip(padded, lengths, strict=True)])[None]
