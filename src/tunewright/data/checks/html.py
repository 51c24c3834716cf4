"""Tags and entities of HTML that were left in texts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from html.entities import html5

from tunewright.data.checks.index import Index, num_rows
from tunewright.data.checks.readings import Met, readings
from tunewright.data.findings import Finding, show

_NAMES = (
    "a abbr article b blockquote body br button center code dd div dl dt em figure font footer form h1 "
    "h2 h3 h4 h5 h6 head header hr html i iframe img input li link main meta nav ol option p pre script "
    "section select small span strike strong style sub sup table tbody td textarea th thead title tr u ul"
)
TAG = re.compile(
    rf"</?(?:{'|'.join(_NAMES.split())})(?:\s[^<>]{{0,2000}})?/?>|<!--.{{0,2000}}?-->|<!doctype[^<>]{{0,200}}>",
    re.IGNORECASE | re.DOTALL,
)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|([A-Za-z][A-Za-z0-9]{1,31}));")


def html(index: Index) -> Iterator[Finding]:
    """Rows with tags or entities of HTML; conversations may speak of it, and are left alone."""
    if index.of_form:
        return
    tags, entities, met = 0, 0, Met()
    for rows, row, text in readings(index):
        with_tag = "<" in text and TAG.search(text) is not None
        with_entity = "&" in text and has_entity(text)
        if with_tag or with_entity:
            met.add(rows, row)
            tags, entities = tags + with_tag, entities + with_entity
    if met.count:
        yield Finding(
            "html",
            "note",
            f"{num_rows(met.count)} with HTML in the text: {tags} with tags such as <br>, {entities} with "
            "entities such as &amp;",
            "turn them into plain text, in the rows to predict too",
            met.count,
            show(met.places),
            tuple(met.ids),
        )


def has_entity(text: str) -> bool:
    """Whether a text has an entity of HTML.

    >>> has_entity("fish &amp; chips"), has_entity("R&D; more")
    (True, False)
    """
    return any(met[1] is None or f"{met[1]};" in html5 for met in _ENTITY.finditer(text))


def plain_text(text: str) -> str:
    """The text without tags, its entities as letters.

    >>> plain_text("fish &amp;<br>chips")
    'fish & chips'
    """
    return " ".join(unescape(TAG.sub(" ", text)).split())
