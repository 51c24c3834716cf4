"""What lies below the layers that learn: kept from phase to phase where that pays."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from tunewright.backends.prefix import MIB, Batches, Prefix, build
from tunewright.backends.settings import Part, Room


class FrozenLayers(ABC):
    """The frozen prefix of the present phase, or the reason why there is none.

    proved_on: the first rows, on which a cut is proved.

    Args:
        batches: the model's arguments for some rows of a part.
        room: for kept activations, None for none.
        tokens_at_once: of a batch without gradients.
    """

    proved_on = 8

    def __init__(
        self,
        parts: Mapping[str, Part],
        batches: Batches,
        room: Room | None,
        *,
        tokens_at_once: int,
    ) -> None:
        self.parts = parts
        self.batches = batches
        self.room = room
        self.tokens_at_once = tokens_at_once
        self.prefix: Prefix | None = None
        self.shelf: dict[str, Prefix] | None = None  # those that a later training may ask for
        self.learned = 0  # top blocks that are not what they were before anything learned
        self._untouched: dict[int, str] = {}  # keys of what lies below so many, as it was then
        self.reason = "no steps in this phase"

    def keep(self, blocks: int, uses: Mapping[str, float], decided: bool | None) -> None:
        """Have what lies below the top `blocks` kept for all rows, or know why it is not.

        Args:
            uses: part to how often each of its rows will be asked for.
            decided: whether to keep it, as found before; None to find out.
        """
        if self.room is None or decided is False:
            self.prefix, self.reason = None, "kept activations are off"
            return
        key = self._key(blocks)
        if self.prefix is not None and self.prefix.key == key:
            return
        self.prefix = None  # before the new one is built: there is room for one
        room = self.room
        if self.shelf is not None:
            if key in self.shelf:
                self.prefix = self.shelf[key]
                self.reason = f"{self.prefix.mib:,.1f} MiB kept before"
                return
            room, decided = self._room_beside(self.shelf), True  # others will ask for it again
        rows = np.arange(min(self.proved_on, len(self.parts["train"].inputs)))
        with self.inference():
            place, self.reason = self.find_place(blocks, self.batches("train", rows))
            if place is None:
                return
            self.prefix, more = build(
                key,
                place,
                lambda batch: self.keep_of(place, batch),
                {name: part.inputs.lengths for name, part in self.parts.items()},
                uses,
                self.batches,
                ragged=self.parts["train"].inputs.are_ragged,
                tokens_at_once=self.tokens_at_once,
                room=room,
                measure=decided is None,
            )
        self.reason = f"{self.reason}; {more}" if self.prefix is not None else more
        if self.shelf is not None and self.prefix is not None:
            self.shelf[key] = self.prefix

    def _key(self, blocks: int) -> str:
        """See `content_key`, which hashes all weights: where nothing changed, once is enough."""
        if self.shelf is None or self.learned > blocks:
            return self.content_key(blocks)
        if blocks not in self._untouched:
            self._untouched[blocks] = self.content_key(blocks)
        return self._untouched[blocks]

    def _room_beside(self, shelf: dict[str, Prefix]) -> Room:
        """What is left beside those on the shelf; where that is little, they are given up."""
        if self.room is None:
            raise RuntimeError("nothing is kept")
        taken = {True: 0, False: 0}  # on disk, in memory
        for each in shelf.values():
            taken[each.on_disk] += int(each.mib * MIB)
        if taken[False] > self.room.memory // 2 or taken[True] > self.room.disk // 2:
            shelf.clear()
            return self.room
        memory, disk = self.room.memory - taken[False], self.room.disk - taken[True]
        return replace(self.room, memory=memory, disk=disk)

    def inference(self) -> contextlib.AbstractContextManager[Any]:
        """Within, nothing is dropped and no gradient is kept."""
        return contextlib.nullcontext()

    @abstractmethod
    def content_key(self, blocks: int) -> str:
        """SHA-256 of everything that decides what lies below the top `blocks`."""

    @abstractmethod
    def find_place(self, blocks: int, batch: Any) -> tuple[Any | None, str]:
        """Where to cut the model, proved on a batch, or None; and why."""

    @abstractmethod
    def keep_of(self, place: Any, batch: Any) -> np.ndarray:
        """(rows, …): what is kept of a batch."""
