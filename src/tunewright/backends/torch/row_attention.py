"""Attention over rows that lie one after another: each token sees its own row alone.

Rows are packed without padding, and no mask of all tokens by all tokens is made: each row goes
through the attention of PyTorch by itself. A row may branch: two continuations of one beginning
both see it, and not each other.

T tokens of all rows, H heads, D width of a head.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional
from transformers import AttentionInterface

NAME = "rows"
SPANS = "row_spans"
"""Argument of a model: int64 (rows, 3), tokens of the beginning and of its two continuations."""


def attend_to_rows(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **more: Any,
) -> tuple[torch.Tensor, None]:
    """An attention function of Transformers: (1, H, T, D) three times to (1, T, H, D)."""
    groups = query.shape[1] // key.shape[1]
    if groups > 1:
        key, value = (each.repeat_interleave(groups, dim=1) for each in (key, value))
    window = more.get("sliding_window")
    given: dict[str, Any] = {"scale": scaling, "dropout_p": dropout if module.training else 0.0}
    spans = more[SPANS].tolist() if SPANS in more else [(query.shape[2], 0, 0)]
    found: list[torch.Tensor] = []
    start = 0
    for beginning, first, second in spans:
        whole = slice(start, start + beginning + first)
        found.append(_causal(query, key, value, whole, window, given))
        start = whole.stop
        if second:
            other = slice(start, start + second)
            shared = slice(whole.start, whole.start + beginning)
            found.append(_branch(query, key, value, shared, other, window, given))
            start = other.stop
    return torch.cat(found, dim=2).transpose(1, 2).contiguous(), None


def _causal(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    row: slice,
    window: int | None,
    given: dict[str, Any],
) -> torch.Tensor:
    """Each token of a row sees itself and what is before it, within the window if there is one."""
    query, key, value = (each[:, :, row] for each in (query, key, value))
    length = row.stop - row.start
    if window is None or length <= window:
        return functional.scaled_dot_product_attention(query, key, value, is_causal=True, **given)
    places = torch.arange(length, device=query.device)
    return functional.scaled_dot_product_attention(
        query, key, value, attn_mask=_seen(places, places, window), **given
    )


def _branch(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    shared: slice,
    branch: slice,
    window: int | None,
    given: dict[str, Any],
) -> torch.Tensor:
    """Each token of a branch sees the shared beginning, and the branch up to itself."""
    keys, values = (
        torch.cat([each[:, :, shared], each[:, :, branch]], dim=2) for each in (key, value)
    )
    places = torch.arange(keys.shape[2], device=query.device)
    mask = _seen(places[shared.stop - shared.start :], places, window)
    return functional.scaled_dot_product_attention(
        query[:, :, branch], keys, values, attn_mask=mask, **given
    )


def _seen(asking: torch.Tensor, asked: torch.Tensor, window: int | None) -> torch.Tensor:
    """bool (asking, asked): whether a token at one place sees that at another."""
    behind = asking[:, None] - asked[None, :]
    return (behind >= 0) if window is None else (behind >= 0) & (behind < window)


AttentionInterface.register(NAME, attend_to_rows)
