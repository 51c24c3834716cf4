"""Texts as they may be shown: everything private is replaced by its kind."""

from __future__ import annotations

from tunewright.data.private.personal import personal
from tunewright.data.private.secrets import secrets_in
from tunewright.data.private.span import without_overlaps


def masked(text: str) -> str:
    """The text with `[kind]` where something private was.

    >>> masked("Write to anna@posteo.net, or call +44 20 7946 0958.")
    'Write to [e-mail], or call [phone].'
    """
    parts: list[str] = []
    end = 0
    for span in without_overlaps([*secrets_in(text), *personal(text)]):
        parts += [text[end : span.start], f"[{span.kind}]"]
        end = span.end
    return "".join([*parts, text[end:]])
