"""What is wrong with rows one by one: empty, short, unreadable, or of a broken form."""

from __future__ import annotations

from collections.abc import Iterator

from tunewright.data.chat.check import format_findings
from tunewright.data.checks.index import Index, num_rows
from tunewright.data.findings import Finding, Place, ids_of, show

SHORT_CHARACTERS = 3


def of_content(index: Index) -> Iterator[Finding]:
    """What is wrong with rows one by one."""
    if index.of_form:
        return format_findings(index.parts.values())
    return _unreadable(index) if index.noun == "picture" else _empty_and_short(index)


def _empty_and_short(index: Index) -> Iterator[Finding]:
    empty: list[Place] = []
    short: list[Place] = []
    for part, rows in index.parts.items():
        empty += [(rows, i) for i in sorted(index.empty[part])]
        for i, text in enumerate(rows.texts):
            if len(text.strip()) < SHORT_CHARACTERS and i not in index.empty[part]:
                short.append((rows, i))
    if empty:
        yield Finding(
            "empty-text",
            "warning",
            f"{num_rows(len(empty))} without text; left out",
            "fill the text in, or remove the rows",
            len(empty),
            show(empty),
        )
    if short:
        yield Finding(
            "short-text",
            "note",
            f"{num_rows(len(short))} with a text of one or two characters",
            "look whether these say enough to be labelled",
            len(short),
            show(short),
            ids_of(short),
        )


def _unreadable(index: Index) -> Iterator[Finding]:
    broken = [(rows, i) for part, rows in index.parts.items() for i in sorted(index.empty[part])]
    if not broken:
        return
    whole = [part for part, rows in index.parts.items() if len(index.empty[part]) == len(rows)]
    rows, first = broken[0]
    flaw = rows.flaws[first] if rows.flaws else None
    yield Finding(
        "format-image",
        "error" if whole else "warning",
        f"{num_rows(len(broken))} with a picture that cannot be read ({flaw}); "
        + (f"nothing is left of {index.parts[whole[0]].source}" if whole else "left out"),
        "save the pictures again as JPEG or PNG, or remove the rows",
        len(broken),
        show(broken),
    )
