"""One thing that is wrong with a row of conversations, and how values are called in its words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard
from unicodedata import category

SHOWN_CHARACTERS = 40
_UNSEEN = ("Cc", "Cf", "Zl", "Zp", "Zs")
_PLAIN_KEY = re.compile(rf"[\w-]{{1,{SHOWN_CHARACTERS}}}")


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


def key_shown(key: str) -> str:
    """A key as part of a field's name; in quotes, and cut, where it could be taken for more.

    >>> key_shown("mood"), key_shown("a.b")
    ('mood', "'a.b'")
    """
    return key if _PLAIN_KEY.fullmatch(key) else quoted(key)


def is_said(value: Any) -> TypeGuard[str]:
    """Whether a value is a text with more in it than white space and what has no shape.

    >>> is_said("\\u200b \\ufeff"), is_said("a\\u200b")
    (False, True)
    """
    return isinstance(value, str) and any(category(letter) not in _UNSEEN for letter in value)
