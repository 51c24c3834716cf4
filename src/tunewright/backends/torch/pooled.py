"""What the head reads of a row when every block is frozen: often a single vector."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal, get_args

import torch
from torch import nn

from tunewright.backends.torch.cut import Batch, pass_through

Pooling = Literal["first", "last", "mean"]


class Pooled:
    """The model with all blocks left out, on one vector in the place of each row's tokens.

    Args:
        model: the whole model, in evaluation mode while `prove` runs.
        blocks: all its blocks, bottom to top.
    """

    def __init__(self, model: nn.Module, blocks: Sequence[nn.Module]) -> None:
        self.model = model
        self.blocks = blocks
        self._answers: list[int | None] = []
        self._token: torch.Tensor | None = None
        self.pooling: Pooling | None = None

    def prove(self, batch: Batch, bound: float) -> bool:
        """Find the vector whose scores equal the whole model's within `bound`, if there is one.

        Args:
            batch: rows of different lengths, padded on the right.
        """
        if set(batch) - {"input_ids", "attention_mask", "token_type_ids"}:
            return False
        with torch.no_grad():
            whole, hidden = self._whole(batch)
            self._token = batch["input_ids"][:1, :1].clone()
            for pooling in get_args(Pooling):
                self.pooling = pooling
                vectors = self._pick(hidden, batch["attention_mask"])
                if float((self.scores(vectors).float() - whole.float()).abs().max()) <= bound:
                    return True
        self.pooling = None
        return False

    def vectors(self, batch: Batch) -> torch.Tensor:
        """(rows, width): what the head reads. No gradient."""
        with torch.no_grad():
            return self._pick(self._whole(batch)[1], batch["attention_mask"])

    def scores(self, vectors: torch.Tensor) -> torch.Tensor:
        """(rows, labels), from (rows, width)."""
        if self._token is None:
            raise RuntimeError("scores before prove")
        ids = self._token.expand(len(vectors), 1)
        with self._instead_of_blocks(vectors.unsqueeze(1)):
            answer = self.model(input_ids=ids, attention_mask=torch.ones_like(ids))
        return answer.logits  # type: ignore[no-any-return]

    def _whole(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """The scores, and what the last block answers: (rows, time, width)."""
        seen: list[Any] = []
        hooks = [
            block.register_forward_hook(lambda _, __, answer: seen.append(answer))
            for block in self.blocks
        ]
        try:
            scores = self.model(**batch).logits
        finally:
            for hook in hooks:
                hook.remove()
        self._answers = [len(each) if isinstance(each, tuple) else None for each in seen]
        last = seen[-1]
        return scores, last[0] if isinstance(last, tuple) else last

    def _pick(self, hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        if self.pooling == "first":
            return hidden[:, 0]
        if self.pooling == "last":
            return hidden[torch.arange(len(hidden), device=hidden.device), mask.sum(1) - 1]
        weights = mask.unsqueeze(-1).to(hidden.dtype)
        return (hidden * weights).sum(1) / weights.sum(1)

    @contextmanager
    def _instead_of_blocks(self, hidden: torch.Tensor) -> Iterator[None]:
        def last(*_: Any, **__: Any) -> Any:
            answers = self._answers[-1]
            return hidden if answers is None else (hidden, *[None] * (answers - 1))

        try:
            for block, answers in zip(self.blocks, self._answers, strict=True):
                block.forward = pass_through(answers)
            self.blocks[-1].forward = last
            yield
        finally:
            for block in self.blocks:
                vars(block).pop("forward", None)
