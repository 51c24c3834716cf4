"""When two texts count as the same: white space and letter case do not matter."""

from __future__ import annotations

import hashlib

from tunewright.data.rows import Rows


def normalise(text: str) -> str:
    """The text in one case, with single spaces.

    >>> normalise("  Hello\\n World ")
    'hello world'
    """
    return " ".join(text.casefold().split())


def text_keys(rows: Rows) -> list[bytes]:
    """16 bytes for each row, equal when the normalised text (and pair) are equal."""
    keys = []
    pairs = iter(rows.pairs) if rows.pairs is not None else None
    for text in rows.texts:
        content = normalise(text)
        if pairs is not None:
            content += "\0" + normalise(next(pairs))
        keys.append(hashlib.sha256(content.encode("utf-8", "surrogatepass")).digest()[:16])
    return keys
