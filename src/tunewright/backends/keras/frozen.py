"""What lies below the layers that learn: kept from phase to phase where that pays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tunewright.backends.keras.compiled import Batch, Compiled
from tunewright.backends.prefix import Batches, Prefix, build, content_key
from tunewright.backends.settings import Part, StepSettings

FIRST_ROWS = 8  # on which a cut is proved
EXACT_FP32, EXACT_BF16 = 1e-4, 5e-2
TOKENS_AT_ONCE = 4096


@dataclass(frozen=True)
class Place:
    """Where the model is cut: below so many blocks; `one_vector` with all of them frozen."""

    blocks: int
    one_vector: bool


class Frozen:
    """The frozen prefix of the present phase, or the reason why there is none."""

    def __init__(
        self,
        compiled: Compiled,
        parts: Mapping[str, Part],
        settings: StepSettings,
        batches: Batches,
    ) -> None:
        self.compiled = compiled
        self.parts = parts
        self.settings = settings
        self.batches = batches
        self.prefix: Prefix | None = None
        self.reason = "no steps in this phase"

    def keep(self, blocks: int, uses: Mapping[str, int], decided: bool | None) -> None:
        """Have what lies below the top `blocks` kept for all rows, or know why it is not.

        Args:
            uses: part to how often each of its rows will be asked for.
            decided: whether to keep it, as found before; None to find out.
        """
        self.compiled.cut(blocks)
        if self.settings.room is None or decided is False:
            self.prefix, self.reason = None, "kept activations are off"
            return
        if blocks >= self.compiled.made.num_blocks:
            self.prefix, self.reason = None, "nothing is frozen"
            return
        rows = [part.tokens.sha256() for part in self.parts.values()]
        key = content_key(self._below(blocks), rows, blocks, self.settings.bf16)
        if self.prefix is not None and self.prefix.key == key:
            return
        self.prefix = None  # before the new one is built: there is room for one
        place = Place(blocks, one_vector=blocks == 0)
        apart = self._prove(place)
        if apart > (EXACT_BF16 if self.settings.bf16 else EXACT_FP32):
            self.reason = f"cut and top differ from the whole model by {apart:.2g}"
            return
        self.prefix, self.reason = build(
            key,
            place,
            lambda batch: self.compiled.keep(batch, one_vector=place.one_vector),
            {name: part.tokens.lengths for name, part in self.parts.items()},
            uses,
            self.batches,
            tokens_at_once=TOKENS_AT_ONCE,
            room=self.settings.room,
            measure=decided is None,
        )

    def kept(self, part: str, rows: np.ndarray) -> np.ndarray | None:
        """(rows, tokens or 1, width): what is kept of these rows; None where nothing is."""
        return None if self.prefix is None else self.prefix.read(part, rows)

    def _below(self, blocks: int) -> Iterator[tuple[str, np.ndarray]]:
        learning = {id(weight.variable) for weight in self.compiled.made.trainable(blocks)}
        for port in self.compiled.made.ports:
            if id(port.variable) not in learning:
                array = np.asarray(port.variable)
                yield f"{port.key}{array.dtype}{array.shape}", array

    def _prove(self, place: Place) -> float:
        """How far the scores of cut and top are from those of the whole model."""
        rows = np.arange(min(FIRST_ROWS, len(self.parts["train"].tokens)))
        batch: Batch = self.batches("train", rows)
        kept: Any = self.compiled.keep(batch, one_vector=place.one_vector)
        whole, top = self.compiled.scores(batch), self.compiled.scores(batch, kept)
        return float(np.abs(whole - top).max() / max(1.0, float(np.abs(whole).max())))
