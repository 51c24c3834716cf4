"""What lies below the layers that learn: kept from phase to phase where that pays."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from tunewright.backends.frozen import FrozenLayers
from tunewright.backends.prefix import MIB, content_key
from tunewright.backends.settings import Room
from tunewright.backends.torch import state
from tunewright.backends.torch.blocks import Layout
from tunewright.backends.torch.calls import Calls
from tunewright.backends.torch.mix_up import Mixture
from tunewright.backends.torch.places import Place, as_array, as_tensor, facts_of, find_place


class Frozen(FrozenLayers):
    """See `FrozenLayers`."""

    def __init__(
        self, calls: Calls, layout: Layout, room: Room | None, *, tokens_at_once: int
    ) -> None:
        super().__init__(calls.parts, calls.batch, room, tokens_at_once=tokens_at_once)
        self.calls = calls
        self.layout = layout

    def scores(self, part: str, rows: np.ndarray) -> torch.Tensor:
        """(rows, labels), before softmax; from what is kept, if it is."""
        with self.calls.precision():
            if self.prefix is None:
                return self.calls.scores(part, rows)
            return self._above(part, rows, self.kept(part, rows))

    def mixed_scores(self, part: str, rows: np.ndarray, mixed: Mixture) -> torch.Tensor:
        """(rows, labels), before softmax, of each row mixed with its partner.

        Mixed is what is kept, where rows are alike in shape; else the pixels of pictures.
        """
        with self.calls.precision():
            if self.prefix is None:
                return self.calls.mixed_scores(part, rows, mixed)
            own, others = self.kept(part, rows), self.kept(part, mixed.rows)
            return self._above(part, rows, torch.lerp(others, own, mixed.share))

    def _above(self, part: str, rows: np.ndarray, kept: torch.Tensor) -> torch.Tensor:
        if self.prefix is None:
            raise RuntimeError("nothing is kept")
        scores: torch.Tensor = self.prefix.place.scores(kept, lambda: self.calls.batch(part, rows))
        return scores

    def kept(self, part: str, rows: np.ndarray) -> torch.Tensor:
        """(rows, …): what is kept of some rows, as the layers above it take it."""
        if self.prefix is None:
            raise RuntimeError("nothing is kept")
        states = as_tensor(self.prefix.read(part, rows)).to(self.calls.device)
        if self.prefix.shape is not None:
            return states
        return functional.pad(states, (0, 0, 0, self.calls.more(states.shape[1])))

    def left_mib(self) -> float:
        """Weights in the mapped file of the blocks for which the kept activations stand."""
        if self.prefix is None or self.calls.mapped is None:
            return 0.0
        blocks = self.prefix.place.left_out
        return self.calls.mapped.size(p for block in blocks for p in block.parameters()) / MIB

    def inference(self) -> contextlib.AbstractContextManager[Any]:
        """See `FrozenLayers`."""
        return self.calls.inference()

    def content_key(self, blocks: int) -> str:
        """See `FrozenLayers`."""
        learning = {name for name, _ in self.layout.trainable(blocks)}
        rows = [each.inputs.sha256() for each in self.parts.values()]
        with self.calls.paging_out():
            frozen = state.weights(self.calls.model, leave_out=learning).values()
            return content_key(facts_of(frozen), rows, blocks, self.calls.bf16)

    def find_place(self, blocks: int, batch: Any) -> tuple[Place | None, str]:
        """See `FrozenLayers`."""
        return find_place(self.calls.model, self.layout, blocks, batch, self.calls.bound)

    def keep_of(self, place: Place, batch: Any) -> np.ndarray:
        """See `FrozenLayers`."""
        return as_array(place.keep(batch))
