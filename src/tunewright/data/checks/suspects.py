"""Findings that a pre-trained model helps to make: doubted labels, outliers, rows cut short."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tunewright.data.checks.index import num_rows
from tunewright.data.checks.label_errors import Doubts
from tunewright.data.findings import SHOWN_ROWS, Finding, Place, ids_of, show_row
from tunewright.data.rows import Rows

MUCH = 0.01  # of all tokens
BELIEVED = 0.8  # of the labels are what probes answer: below, more of their doubts are mistakes


class Looked:
    """The rows that were looked at: those of training and validation, never of the test."""

    def __init__(self, parts: Sequence[Rows]) -> None:
        self.parts = parts
        self.ends = np.cumsum([len(rows) for rows in parts])

    def __len__(self) -> int:
        return int(self.ends[-1])

    def show(self, row: int) -> dict[str, object]:
        """See `findings.show_row`."""
        return show_row(*self._place(row))

    def ids(self, rows: np.ndarray) -> tuple[str, ...]:
        """See `findings.ids_of`."""
        return ids_of(self._place(row) for row in rows.tolist())

    def _place(self, row: int) -> Place:
        part = int(np.searchsorted(self.ends, row, side="right"))
        return self.parts[part], row - int(self.ends[part - 1] if part else 0)


def label_errors(
    looked: Looked, found: Doubts, labels: np.ndarray, names: Sequence[str], shares: np.ndarray
) -> list[Finding]:
    """`label-error`: each row with the label it looks like, and how surely.

    Args:
        labels: int64 (N). names: C. shares: (N, C), those that `found` came from.
    """
    if not len(found.rows):
        return []
    agreed = float((shares.argmax(axis=1) == labels).mean())
    shown = [
        looked.show(row)
        | {
            "suggested": names[found.suggested[row]],
            "confidence": round(float(shares[row, found.suggested[row]]), 4),
            "label_confidence": round(float(shares[row, labels[row]]), 4),
        }
        for row in found.rows[:SHOWN_ROWS].tolist()
    ]
    return [
        Finding(
            "label-error",
            "warning" if agreed >= BELIEVED else "note",
            f"{num_rows(len(found.rows))} of {len(looked)} whose label looks wrong to probes that "
            f"never saw the row; they agree with {100 * agreed:.1f} % of all labels"
            + ("" if agreed >= BELIEVED else ", so most of these doubts are their own errors"),
            "read the first ones, and correct those that are wrong; stop where most are right",
            len(found.rows),
            tuple(shown),
            looked.ids(found.rows),
        )
    ]


def outliers(looked: Looked, far: np.ndarray, distance: np.ndarray) -> list[Finding]:
    """`outlier`: each row with its distance.

    Args:
        far: rows, the farthest first. distance: (N).
    """
    if not len(far):
        return []
    shown = [
        looked.show(row) | {"distance": round(float(distance[row]), 4)}
        for row in far[:SHOWN_ROWS].tolist()
    ]
    return [
        Finding(
            "outlier",
            "note",
            f"{num_rows(len(far))} of {len(looked)} far from all others by what the model makes of "
            f"them; the usual distance is {np.median(distance):.2f}",
            "look whether these belong to the task, and remove those that do not",
            len(far),
            tuple(shown),
            looked.ids(far),
        )
    ]


def truncated(
    looked: Looked,
    rows: np.ndarray,
    lost: np.ndarray,
    *,
    tokens: int,
    limit: int,
    longest: int,
    readable: int,
) -> list[Finding]:
    """`truncated`: each row with the tokens that it loses.

    Args:
        rows: those that are cut, that which loses most first; `lost`: tokens of each.
        tokens: of all rows. limit: at which they are cut. longest: tokens of the longest row.
        readable: tokens that the model can read.
    """
    if not len(rows):
        return []
    share = lost.sum() / max(1, tokens)
    more = min(longest, readable)
    shorten = "shorten or divide the texts, or take a model that reads more"
    shown = [
        looked.show(row) | {"lost_tokens": number}
        for row, number in zip(rows[:SHOWN_ROWS].tolist(), lost.tolist(), strict=False)
    ]
    return [
        Finding(
            "truncated",
            "warning" if share >= MUCH else "note",
            f"{num_rows(len(rows))} of {len(looked)} ({100 * len(rows) / len(looked):.1f} %) longer "
            f"than {limit} tokens are cut: {100 * share:.1f} % of all tokens are lost; the longest "
            f"has {longest}",
            f"set train.max_length to {more}, which is slower" if more > limit else shorten,
            len(rows),
            tuple(shown),
            looked.ids(rows),
        )
    ]
