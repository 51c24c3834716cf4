"""What mends a text without a question: the name of a finding, and a function from text to text."""

from __future__ import annotations

from collections.abc import Callable

Repair = Callable[[str], str]
REPAIRS: dict[str, Repair] = {}
"""Code of a finding → what mends the texts that it is about, and leaves all others as they are."""


def repaired(text: str) -> tuple[str, list[str]]:
    """The text after all repairs, and the codes of those that changed it."""
    codes = []
    for code, repair in REPAIRS.items():
        mended = repair(text)
        if mended != text:
            codes.append(code)
        text = mended
    return text, codes
