"""Rows of a language model packed one after another, and where their learned tokens are foretold.

R rows, T tokens of all of them, P learned tokens.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tunewright.backends.chats import ChatTokens
from tunewright.backends.preferences import PairTokens


@dataclass(frozen=True)
class PackedRows:
    """What a model and its loss are given.

    Args:
        ids: int64 (T). positions: int64 (T), of each token in its row.
        spans: int64 (R, 3), tokens of a row's beginning and of its two continuations.
        places: int64 (P), whose state foretells a learned token. targets: int64 (P), that token.
        owners: int64 (P), the text that it is part of: the row; of pairs 2 · row, and one more
            for the second continuation.
    """

    ids: np.ndarray
    positions: np.ndarray
    spans: np.ndarray
    places: np.ndarray
    targets: np.ndarray
    owners: np.ndarray


def pack(tokens: ChatTokens, rows: np.ndarray) -> PackedRows:
    """Rows in this order."""
    lengths = tokens.lengths[rows]
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    positions = np.arange(int(lengths.sum())) - np.repeat(starts, lengths)
    at = np.repeat(tokens.starts[rows], lengths) + positions
    ids = tokens.ids[at].astype(np.int64)
    learned = np.flatnonzero(tokens.learned[at] & (positions > 0))
    return PackedRows(
        ids=ids,
        positions=positions,
        spans=np.stack([lengths, 0 * lengths, 0 * lengths], axis=1),
        places=learned - 1,
        targets=ids[learned],
        owners=np.repeat(np.arange(len(rows)), lengths)[learned],
    )


def pack_pairs(tokens: PairTokens, rows: np.ndarray) -> PackedRows:
    """Pairs in this order: the prompt once, then both answers, the preferred one first."""
    pieces: list[PackedRows] = []
    start = 0
    for place, row in enumerate(rows.tolist()):
        prompt = tokens.prompt(row).astype(np.int64)
        answers = [each.astype(np.int64) for each in tokens.answers(row)]
        behind = [len(prompt) + np.arange(len(answer)) for answer in answers]
        first, second = (len(answer) for answer in answers)
        ends = start + len(prompt) + np.array([0, first])
        places = [
            np.concatenate([[start + len(prompt) - 1], end + np.arange(len(answer) - 1)])
            for end, answer in zip(ends, answers, strict=True)
        ]
        pieces.append(
            PackedRows(
                ids=np.concatenate([prompt, *answers]),
                positions=np.concatenate([np.arange(len(prompt)), *behind]),
                spans=np.array([[len(prompt), first, second]]),
                places=np.concatenate(places),
                targets=np.concatenate(answers),
                owners=2 * place + np.repeat([0, 1], [first, second]),
            )
        )
        start += len(pieces[-1].ids)
    return PackedRows(
        *(
            np.concatenate([getattr(piece, name) for piece in pieces])
            for name in PackedRows.__dataclass_fields__
        )
    )
