"""From scores of tokens to the next token of each row.

N rows, V tokens that the model knows.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from tunewright.backends.draws import Draw, Drawn

LIKELIEST = 256  # tokens that are sorted first: they nearly always hold the share that is asked for


def draw(scores: torch.Tensor, draws: Sequence[Draw]) -> list[Drawn]:
    """The next token of each row.

    Args:
        scores: float32 (N, V), before softmax.
    """
    changed = _changed(scores, draws)
    tokens = changed.argmax(-1).tolist()
    for row, each in enumerate(draws):
        if each.temperature > 0:
            tokens[row] = _drawn(changed[row].cpu().double(), each)
    return [
        _told(scores[row], token, each)
        for row, (token, each) in enumerate(zip(tokens, draws, strict=True))
    ]


def _changed(scores: torch.Tensor, draws: Sequence[Draw]) -> torch.Tensor:
    if not any(each.added or each.allowed is not None for each in draws):
        return scores
    changed = scores.clone()
    for row, each in enumerate(draws):
        for token, more in each.added.items():
            changed[row, token] += more
        if each.allowed is not None:
            changed[row].masked_fill_(~_bits(each.allowed, scores.shape[1], scores.device), -np.inf)
    return changed


def _bits(packed: np.ndarray, count: int, device: torch.device) -> torch.Tensor:
    """bool (V): what is past the bits is not allowed."""
    bits = np.unpackbits(packed.view(np.uint8), bitorder="little")[:count].astype(bool)
    found = np.zeros(count, dtype=bool)
    found[: len(bits)] = bits
    return torch.from_numpy(found).to(device)


def _drawn(scores: torch.Tensor, how: Draw) -> int:
    shares = (scores / how.temperature).softmax(-1)
    if how.top_p >= 1:
        return _at(shares, how.number)
    values, tokens = shares.topk(min(LIKELIEST, len(shares)))
    if float(values.sum()) < how.top_p:
        values, tokens = shares.sort(descending=True, stable=True)
    before = values.cumsum(-1) - values
    kept = int((before < how.top_p).sum())
    return int(tokens[_at(values[: max(1, kept)], how.number)])


def _at(shares: torch.Tensor, number: float) -> int:
    """Where a number in [0, 1) falls among shares; never on a share of nothing."""
    sums = shares.cumsum(-1)
    wanted = torch.tensor(number * float(sums[-1]), dtype=sums.dtype)
    found = int(torch.searchsorted(sums, wanted, right=True))
    return min(found, int(shares.nonzero()[-1]))


def _told(scores: torch.Tensor, token: int, how: Draw) -> Drawn:
    if how.told is None:
        return Drawn(token)
    logarithms = scores.log_softmax(-1)
    values, tokens = logarithms.topk(how.told) if how.told else (logarithms[:0], logarithms[:0])
    pairs = zip(tokens.tolist(), values.tolist(), strict=True)
    return Drawn(token, float(logarithms[token]), tuple((int(at), value) for at, value in pairs))
