"""Keys and values of several texts that are written at once, each as long as it is.

Rows lie in one tensor for each layer, beginning at the same place, so that no row is ever moved
because another one grows, comes or goes: a row that leaves is replaced by the last one. What lies
past a row's end counts for nothing, and is finite: nothing times what is no number would be none.

N rows, H heads, T tokens of the longest row, L tokens that are read now, D width of a head.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers.cache_utils import Cache, CacheLayerMixin

FIRST_TOKENS, FIRST_ROWS = 64, 4


class RowsLayer(CacheLayerMixin):
    """Keys and values of one layer; `cache` knows how long its rows are."""

    is_sliding = False
    is_compileable = False
    keys: Any
    values: Any

    def __init__(self, cache: RowsCache) -> None:
        super().__init__()
        self.cache = cache

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        """Take the heads and the number format of the model."""
        self.keys = self._zeros(key_states)
        self.values = self._zeros(value_states)
        self.is_initialized = True

    def _zeros(self, like: torch.Tensor) -> torch.Tensor:
        heads, width = like.shape[1], like.shape[3]
        return like.new_zeros(self.cache.room_rows, heads, self.cache.room_tokens, width)

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """(N, H, L, D) twice to (N, H, T, D) twice, with those before them."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        rows, upto = len(self.cache.lengths), self.cache.upto
        found = []
        for kept, new in ((self.keys, key_states), (self.values, value_states)):
            # in indexing by two tensors their dimension comes first: (N, L, H, D)
            kept[self.cache.at_rows, :, self.cache.at_tokens] = new.transpose(1, 2)
            found.append(kept[:rows, :, :upto])
        return found[0], found[1]

    def grow(self) -> None:
        """Take the room that the cache has now."""
        if self.is_initialized:
            rows, tokens = self.keys.shape[0], self.keys.shape[2]
            for name in ("keys", "values"):
                old = getattr(self, name)
                new = self._zeros(old)
                new[:rows, :, :tokens] = old
                setattr(self, name, new)

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Tokens that are seen, and the first of them."""
        return self.cache.upto, 0

    def get_seq_length(self) -> int:
        """Tokens of the longest row before those that are read now."""
        return max(self.cache.lengths, default=0)

    def get_max_length(self) -> int:
        """It grows."""
        return -1


class RowsCache(Cache):
    """The rows of all layers.

    lengths: tokens that are known of each row. upto: of the longest, with those read now.
    at_rows, at_tokens: int64 (N, 1) and (N, L), where these go.
    """

    def __init__(self, layers: int) -> None:
        self.own = [RowsLayer(self) for _ in range(layers)]
        super().__init__(layers=list(self.own))
        self.lengths: list[int] = []
        self.room_rows, self.room_tokens = FIRST_ROWS, FIRST_TOKENS
        self.upto = 0
        self.at_rows = self.at_tokens = torch.zeros(0, 1, dtype=torch.int64)

    def begin(self, tokens: int, device: torch.device) -> torch.Tensor:
        """Make ready for a call with L tokens of each row: their places, int64 (N, L)."""
        past = torch.tensor(self.lengths, device=device)[:, None]
        self.at_rows = torch.arange(len(self.lengths), device=device)[:, None]
        self.at_tokens = past + torch.arange(tokens, device=device)
        self.upto = max(self.lengths) + tokens
        self._make_room(len(self.lengths), self.upto)
        return self.at_tokens

    def end(self, read: list[int]) -> None:
        """Note how many of those tokens were each row's own; the others were padding."""
        self.lengths = [known + more for known, more in zip(self.lengths, read, strict=True)]

    def add(self) -> None:
        """A row of which nothing is known yet, after the others."""
        self.lengths.append(0)

    def drop(self, row: int) -> None:
        """Forget a row; the last one takes its place."""
        last = len(self.lengths) - 1
        if row != last:
            self._copy(self, last, row)
        self.lengths[row] = self.lengths[last]
        self.lengths.pop()

    def take(self, other: RowsCache, row: int) -> None:
        """Add a row that another cache of the same model has."""
        self.lengths.append(other.lengths[row])
        self._make_room(len(self.lengths), max(self.lengths))
        self._copy(other, row, len(self.lengths) - 1)

    def _copy(self, other: RowsCache, row: int, here: int) -> None:
        tokens = other.lengths[row]
        for mine, its in zip(self.own, other.own, strict=True):
            if its.is_initialized and not mine.is_initialized:
                mine.lazy_initialization(its.keys, its.values)
            if its.is_initialized:
                mine.keys[here, :, :tokens] = its.keys[row, :, :tokens]
                mine.values[here, :, :tokens] = its.values[row, :, :tokens]

    def _make_room(self, rows: int, tokens: int) -> None:
        wanted = (
            _grown(self.room_rows, rows, FIRST_ROWS),
            _grown(self.room_tokens, tokens, FIRST_TOKENS),
        )
        if wanted != (self.room_rows, self.room_tokens):
            self.room_rows, self.room_tokens = wanted
            for layer in self.own:
                layer.grow()

    @property
    def bytes(self) -> int:
        """What its tensors take."""
        ready = [layer for layer in self.own if layer.is_initialized]
        return sum(int(each.nbytes) for layer in ready for each in (layer.keys, layer.values))

    @property
    def bytes_of_token(self) -> int:
        """Of one token of one row; known after the first call."""
        return self.bytes // (self.room_rows * self.room_tokens)


def _grown(room: int, wanted: int, step: int) -> int:
    """By a quarter at least, so that growing costs little for each token."""
    return room if wanted <= room else -(-max(wanted, room * 5 // 4) // step) * step
