"""What lies below the layers that learn: kept from phase to phase where that pays."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from tunewright.backends.prefix import MIB, Prefix, build, content_key
from tunewright.backends.settings import Room
from tunewright.backends.torch import state
from tunewright.backends.torch.blocks import Layout
from tunewright.backends.torch.calls import Calls
from tunewright.backends.torch.places import as_array, as_tensor, facts_of, find_place

FIRST_ROWS = 8  # on which a cut is proved


class Frozen:
    """The frozen prefix of the present phase, or the reason why there is none.

    Args:
        room: for kept activations, None for none.
        tokens_at_once: of a batch without gradients.
    """

    def __init__(
        self, calls: Calls, layout: Layout, room: Room | None, *, tokens_at_once: int
    ) -> None:
        self.calls = calls
        self.layout = layout
        self.room = room
        self.tokens_at_once = tokens_at_once
        self.prefix: Prefix | None = None
        self.reason = "no steps in this phase"

    def keep(self, blocks: int, uses: Mapping[str, int], decided: bool | None) -> None:
        """Have what lies below the top `blocks` kept for all rows, or know why it is not.

        Args:
            uses: part to how often each of its rows will be asked for.
            decided: whether to keep it, as found before; None to find out.
        """
        if self.room is None or decided is False:
            self.prefix, self.reason = None, "kept activations are off"
            return
        with self.calls.paging_out():
            key = self.content_key(blocks)
        if self.prefix is not None and self.prefix.key == key:
            return
        self.prefix = None  # before the new one is built: there is room for one
        parts = self.calls.parts
        first = np.arange(min(FIRST_ROWS, len(parts["train"].tokens)))
        with self.calls.inference():
            batch = self.calls.batch("train", first)
            place, self.reason = find_place(
                self.calls.model, self.layout, blocks, batch, self.calls.bound
            )
            if place is None:
                return
            self.prefix, more = build(
                key,
                place,
                lambda batch: as_array(place.keep(batch)),
                {part: each.tokens.lengths for part, each in parts.items()},
                uses,
                self.calls.batch,
                tokens_at_once=self.tokens_at_once,
                room=self.room,
                measure=decided is None,
            )
        self.reason = f"{self.reason}; {more}" if self.prefix is not None else more

    def scores(self, part: str, rows: np.ndarray) -> torch.Tensor:
        """(rows, labels), before softmax; from what is kept, if it is."""
        with self.calls.precision():
            if self.prefix is None:
                return self.calls.scores(part, rows)
            kept = as_tensor(self.prefix.read(part, rows)).to(self.calls.device)
            scores: torch.Tensor = self.prefix.place.scores(
                kept, lambda: self.calls.batch(part, rows)
            )
            return scores

    def left_mib(self) -> float:
        """Weights in the mapped file of the blocks for which the kept activations stand."""
        if self.prefix is None or self.calls.mapped is None:
            return 0.0
        blocks = self.prefix.place.left_out
        return self.calls.mapped.size(p for block in blocks for p in block.parameters()) / MIB

    def content_key(self, blocks: int) -> str:
        """SHA-256 of everything that decides what lies below the top `blocks`."""
        learning = {name for name, _ in self.layout.trainable(blocks)}
        frozen = state.weights(self.calls.model, leave_out=learning).values()
        rows = [each.tokens.sha256() for each in self.calls.parts.values()]
        return content_key(facts_of(frozen), rows, blocks, self.calls.bf16, self.calls.padding)
