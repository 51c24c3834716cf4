"""Calls of a causal language model: rows packed without padding, and states at learned tokens."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch

from tunewright.backends.settings import Part
from tunewright.backends.torch.calls import Calls
from tunewright.backends.torch.cut import Batch
from tunewright.backends.torch.load import Loaded
from tunewright.backends.torch.packed_rows import PackedRows
from tunewright.backends.torch.row_attention import SPANS

Pack = Callable[[str, np.ndarray], PackedRows]


class LanguageCalls(Calls):
    """See `Calls`.

    Args:
        pack: rows of a part, one after another.
    """

    def __init__(
        self,
        loaded: Loaded,
        parts: Mapping[str, Part],
        device: torch.device,
        pack: Pack,
        *,
        bf16: bool,
    ) -> None:
        super().__init__(loaded, parts, device, bf16=bf16)
        self.pack = pack

    def batch(self, part: str, rows: np.ndarray) -> Batch:
        """See `Calls`."""
        packed = self.pack(part, rows)
        arguments = {"input_ids": packed.ids[None], "position_ids": packed.positions[None]}
        arguments[SPANS] = packed.spans
        return {name: torch.from_numpy(each).to(self.device) for name, each in arguments.items()}
