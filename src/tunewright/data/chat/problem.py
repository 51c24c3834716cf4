"""One thing that is wrong with a row of conversations, and how values are called in its words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SHOWN_CHARACTERS = 40


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a row.

    Args:
        code: stable name, such as format-role.
        field: where in the row's canonical form, such as messages[2].role.
        message: what is wrong there; fix: what to do.
    """

    code: str
    field: str
    message: str
    fix: str


def kind_of(value: Any) -> str:
    """What a JSON value is, for people.

    >>> kind_of([]), kind_of(None), kind_of(1.5)
    ('a list', 'null', 'a number')
    """
    if isinstance(value, Mapping):
        return "an object"
    names: dict[type, str] = {list: "a list", str: "a text", bool: "true or false"}
    return names.get(type(value), "null" if value is None else "a number")


def quoted(value: Any) -> str:
    """A text in quotes, cut where it is long; of anything else, what it is.

    >>> quoted("bot"), quoted({})
    ("'bot'", 'an object')
    """
    if not isinstance(value, str):
        return kind_of(value)
    return repr(value if len(value) <= SHOWN_CHARACTERS else value[: SHOWN_CHARACTERS - 1] + "…")


def is_said(value: Any) -> bool:
    """Whether a value is a text with more than white space."""
    return isinstance(value, str) and bool(value.strip())
