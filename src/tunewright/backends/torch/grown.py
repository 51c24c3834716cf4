"""A language model's tables of tokens, grown by those that are new.

A new token begins as the mean of the pieces that stood for it before, on both sides: as a token
that is read, and as one that is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import nn

from tunewright.backends.new_tokens import NewToken


def grow_tables(model: nn.Module, tokens: Sequence[NewToken]) -> None:
    """Give the model a row for each token, in place. Some tables have rows to spare."""
    owner: Any = model
    needed = max((token.number + 1 for token in tokens), default=0)
    if needed > owner.get_input_embeddings().num_embeddings:
        with torch.random.fork_rng(devices=[]):
            owner.resize_token_embeddings(needed, mean_resizing=False)
    with torch.no_grad():
        for table in _tables(owner):
            for token in tokens:
                table[token.number] = table[list(token.pieces)].float().mean(0).to(table.dtype)


def rows_of_tokens(model: nn.Module, tokens: Sequence[NewToken]) -> dict[str, list[int]] | None:
    """Name of each layer with a table of its own, to the rows that are new; as PEFT asks for it."""
    if not tokens:
        return None
    owner: Any = model
    names = {id(module): name for name, module in model.named_modules()}
    read, written = owner.get_input_embeddings(), owner.get_output_embeddings()
    layers = [read] if written.weight is read.weight else [read, written]
    return {names[id(layer)]: [token.number for token in tokens] for layer in layers}


def _tables(owner: Any) -> Iterator[torch.Tensor]:
    """Weights with a row for each token, each once."""
    read, written = owner.get_input_embeddings(), owner.get_output_embeddings()
    yield read.weight
    if written.weight is not read.weight:
        yield written.weight
    if getattr(written, "bias", None) is not None:
        yield written.bias
