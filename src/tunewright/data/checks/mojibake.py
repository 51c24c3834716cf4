"""Texts that were decoded with the wrong encoding: 'cafÃ©' for 'café'."""

from __future__ import annotations

from collections.abc import Iterator

from tunewright.data.checks.index import Index, num_rows
from tunewright.data.checks.readings import Met, readings
from tunewright.data.findings import Finding, show
from tunewright.data.private.masked import masked

LOST = "\N{REPLACEMENT CHARACTER}"


def mojibake(index: Index) -> Iterator[Finding]:
    """Rows whose letters are garbled, with an example of one that can be repaired."""
    met, example = Met(), ""
    for rows, row, text in readings(index):
        if is_garbled(text):
            met.add(rows, row)
            example = example or _example(text)
    if met.count:
        yield Finding(
            "mojibake",
            "warning",
            f"{num_rows(met.count)} with garbled letters: decoded with the wrong encoding, or lost"
            f"{example}",
            "read the source again as UTF-8, or repair the texts",
            met.count,
            show(met.places),
            tuple(met.ids),
        )


def is_garbled(text: str) -> bool:
    """Whether letters were lost, or were decoded wrongly and can be told.

    >>> is_garbled("cafÃ©"), is_garbled("café")
    (True, False)
    """
    if text.isascii():
        return False
    from ftfy.badness import is_bad

    return LOST in text or (bool(is_bad(text)) and repaired(text) != text)


def repaired(text: str) -> str:
    """The text as it was before it was decoded wrongly; unchanged where that cannot be told."""
    from ftfy import fix_encoding

    return str(fix_encoding(text))


def _example(text: str) -> str:
    """', such as … for …', of the first word that can be repaired; else nothing."""
    words, right = text.split(), repaired(text).split()
    pairs = zip(words, right, strict=True) if len(words) == len(right) else ()
    for word, better in pairs:
        if word != better:
            return f", such as {masked(word)[:40]!r} for {masked(better)[:40]!r}"
    return ""
