"""What lies below the layers that learn: kept from phase to phase where that pays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tunewright.backends.frozen import FrozenLayers
from tunewright.backends.keras.compiled import Compiled
from tunewright.backends.prefix import Batches, content_key
from tunewright.backends.settings import Part, StepSettings

EXACT_FP32, EXACT_BF16 = 1e-4, 5e-2
TOKENS_AT_ONCE = 4096


@dataclass(frozen=True)
class Place:
    """Where the model is cut. `one_vector`: of each row only the one that the head reads."""

    one_vector: bool


class Frozen(FrozenLayers):
    """See `FrozenLayers`."""

    def __init__(
        self,
        compiled: Compiled,
        parts: Mapping[str, Part],
        settings: StepSettings,
        batches: Batches,
    ) -> None:
        super().__init__(parts, batches, settings.room, tokens_at_once=TOKENS_AT_ONCE)
        self.compiled = compiled
        self.bf16 = settings.bf16

    def kept(self, part: str, rows: np.ndarray) -> np.ndarray | None:
        """(rows, tokens or 1, width): what is kept of these rows; None where nothing is."""
        return None if self.prefix is None else self.prefix.read(part, rows)

    def keep(self, blocks: int, uses: Mapping[str, float], decided: bool | None) -> None:
        """See `FrozenLayers`. The model is cut there in any case: what is frozen drops nothing."""
        self.compiled.cut(blocks)
        super().keep(blocks, uses, decided)

    def content_key(self, blocks: int) -> str:
        """See `FrozenLayers`."""
        rows = [part.inputs.sha256() for part in self.parts.values()]
        return content_key(self._below(blocks), rows, blocks, self.bf16)

    def find_place(self, blocks: int, batch: Any) -> tuple[Place | None, str]:
        """See `FrozenLayers`."""
        if blocks >= self.compiled.made.num_blocks:
            return None, "nothing is frozen"
        place = Place(one_vector=blocks == 0 and self.parts["train"].inputs.are_ragged)
        whole = self.compiled.scores(batch)
        top = self.compiled.scores(batch, self.keep_of(place, batch))
        apart = float(np.abs(whole - top).max() / max(1.0, float(np.abs(whole).max())))
        bound = EXACT_BF16 if self.bf16 else EXACT_FP32
        if not apart <= bound:
            return None, f"cut and top differ from the whole model by {apart:.2g}"
        below = self.compiled.made.num_blocks - blocks
        return (
            place,
            f"{below} frozen blocks computed once; cut and top equal the whole within {bound:g}",
        )

    def keep_of(self, place: Place, batch: Any) -> np.ndarray:
        """See `FrozenLayers`."""
        return self.compiled.keep(batch, one_vector=place.one_vector)

    def _below(self, blocks: int) -> Iterator[tuple[str, np.ndarray]]:
        made = self.compiled.made
        learning = {id(weight.variable) for weight in made.trainable(blocks)}
        named = [(port.key, port.variable) for port in made.ports]
        named += [(weight.name, weight.variable) for weight in made.adapters]
        for name, variable in named:
            if id(variable) not in learning:
                array = np.asarray(variable)
                yield f"{name}{array.dtype}{array.shape}", array
