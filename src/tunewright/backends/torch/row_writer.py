"""A language model that writes several texts at once, a token of each at a time.

Texts join and leave between two steps. What a text becomes does not hang on what is written beside
it, but for the rounding of products of other sizes.

N rows, V tokens that the model knows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch

from tunewright.backends.draws import Draw, Drawn
from tunewright.backends.folder import first_line
from tunewright.backends.torch.drawing import draw
from tunewright.backends.torch.rows_cache import RowsCache
from tunewright.backends.torch.writer import Writer
from tunewright.errors import ModelError

PROVED = ((5, 9, 3, 7, 1), (2,), (4, 8, 6))
"""Tokens of the rows that a model is proved on; they are read in two steps."""
BOUND = 1e-3  # of the largest score
READ_AT_ONCE = {"cpu": 256}
"""Tokens of prompts in one call: more would keep those who wait for their next token waiting."""
READ_AT_ONCE_ELSEWHERE = 4096


class RowWriter:
    """See above.

    Args:
        writer: with the model, its tokenizer and its template.
        adapted: within what it gives, the model answers with this writer's adapters.
    Raises:
        ModelError: the model answers otherwise when rows of several lengths are read at once.
    """

    def __init__(
        self,
        writer: Writer,
        adapted: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        self.model, self.tokenizer = writer.model, writer.tokenizer
        self.template, self.device = writer.template, writer.device
        self.longest = min(writer.longest, _window(self.model.config) or writer.longest)
        self.adapted = adapted
        self.read_at_once = READ_AT_ONCE.get(self.device.type, READ_AT_ONCE_ELSEWHERE)
        self.known_tokens: int = self.model.get_input_embeddings().num_embeddings
        self.layers = int(self.model.config.get_text_config().num_hidden_layers)
        self.bytes_of_token = self._prove()

    def rows(self) -> RowsCache:
        """No rows yet."""
        return RowsCache(self.layers)

    def read(self, cache: RowsCache, tokens: Sequence[Sequence[int]]) -> torch.Tensor:
        """float32 (N, V): what comes after these tokens of each row, before softmax.

        Args:
            tokens: at least one of each row, which the cache knows from then on.
        """
        most = max(map(len, tokens))
        padding = self.tokenizer.pad_token_id
        ids = [[*row, *[padding] * (most - len(row))] for row in tokens]
        places = cache.begin(most, self.device)
        last = torch.tensor([len(row) - 1 for row in tokens], device=self.device)
        with torch.inference_mode(), self.adapted(), self._only(last):
            found: torch.Tensor = self.model(
                input_ids=torch.tensor(ids, device=self.device),
                attention_mask=self._seen(places, cache.upto),
                position_ids=places,
                past_key_values=cache,
                use_cache=True,
            ).logits[:, 0]
        cache.end([len(row) for row in tokens])
        return found.float()

    def draw(self, scores: torch.Tensor, draws: Sequence[Draw]) -> list[Drawn]:
        """The next token of each row."""
        return draw(scores, draws)

    def _seen(self, places: torch.Tensor, upto: int) -> torch.Tensor:
        """(N, 1, L, T): whether a token sees another one of its row."""
        seen = torch.arange(upto, device=self.device) <= places[:, None, :, None]
        if self.model.config._attn_implementation != "eager":
            return seen
        least = torch.finfo(self.model.dtype).min
        return torch.zeros_like(seen, dtype=self.model.dtype).masked_fill_(~seen, least)

    @contextmanager
    def _only(self, last: torch.Tensor) -> Iterator[None]:
        """Within, scores are made of one token of each row alone."""
        rows = torch.arange(len(last), device=self.device)

        def keep(_: Any, args: tuple[Any, ...]) -> tuple[Any, ...]:
            return (args[0][rows, last][:, None], *args[1:])

        hook = self.model.get_output_embeddings().register_forward_pre_hook(keep)
        try:
            yield
        finally:
            hook.remove()

    def _prove(self) -> int:
        """Compare with rows that are read alone; the bytes that a token of a row takes."""
        rows = [[token % self.known_tokens for token in row] for row in PROVED]
        cache = self.rows()
        for _ in rows:
            cache.add()
        try:
            self.read(cache, rows)
            together = self.read(cache, rows[::-1])
            with torch.inference_mode(), self.adapted():
                alone = torch.cat(
                    [self._alone(one + two) for one, two in zip(rows, rows[::-1], strict=True)]
                ).float()
            apart = float((together - alone).abs().max() / alone.abs().max())
        except Exception as error:  # noqa: BLE001 - whatever a model of another make raises
            raise self._unfit(first_line(error)) from None
        if not apart <= BOUND:
            raise self._unfit(f"scores differ by {apart:.2g}")
        return cache.bytes_of_token

    def _alone(self, row: list[int]) -> torch.Tensor:
        ids = torch.tensor([row], device=self.device)
        found: torch.Tensor = self.model(ids, attention_mask=torch.ones_like(ids)).logits[:, -1]
        return found

    def _unfit(self, why: str) -> ModelError:
        return ModelError(
            f"{type(self.model).__name__} cannot write several texts at once: {why}",
            fix="choose a decoder such as Llama, Mistral, Qwen, Gemma or SmolLM",
        )


def _window(config: Any) -> int | None:
    """Tokens that a layer sees at most; None where there is no such bound."""
    text = config.get_text_config()
    used = getattr(text, "use_sliding_window", True)
    kinds = getattr(text, "layer_types", None)
    slides = kinds is None or "sliding_attention" in kinds
    return getattr(text, "sliding_window", None) if used and slides else None
