"""When two rows count as the same: white space and case of texts, names of files do not matter."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.bytes_]
"""16 bytes for each row; two are equal when the normalised texts are."""
KEY = "S16"


def normalise(text: str) -> str:
    """The text in one case, with single spaces.

    >>> normalise("  Hello\\n World ")
    'hello world'
    """
    return " ".join(text.casefold().split())


def text_key(text: str, pair: str | None) -> bytes:
    """16 bytes that are equal when the normalised texts (and pairs) are."""
    content = normalise(text) if pair is None else f"{normalise(text)}\0{normalise(pair)}"
    return hashlib.sha256(content.encode("utf-8", "surrogatepass")).digest()[:16]


def picture_key(sha256: str) -> bytes:
    """16 bytes that are equal when the contents of two picture files are.

    Args:
        sha256: of the content, in hex.
    """
    return bytes.fromhex(sha256)[:16]


def together(keys: Keys) -> Iterator[list[int]]:
    """The row numbers of each different key, in ascending order; the keys in no order.

    >>> sorted(together(np.array([b"x", b"y", b"x"])))
    [[0, 2], [1]]
    """
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    borders = np.flatnonzero(ordered[1:] != ordered[:-1]) + 1
    first = 0
    for last in (*borders.tolist(), len(keys)):
        if last > first:
            yield order[first:last].tolist()
        first = last
