"""JSON as a server may take it: what is ambiguous, endless or cannot be kept is no JSON here."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from jiter import from_json

_MAY_OVERFLOW = re.compile(rb"\d[eE]|\d{300}")
_MAY_BE_NUL = b"\\u0000"


def read_json(data: bytes) -> Any:
    """What a text of JSON says.

    Besides what is no JSON, it refuses a key that is there twice, more than 200 levels, anything but
    UTF-8, half a surrogate pair, NaN and other numbers that are none, and the character NUL, which
    a database may not be able to keep.

    Raises:
        ValueError: says what is wrong, and where.
    """
    found = from_json(data, allow_inf_nan=False, catch_duplicate_keys=True)
    if _MAY_OVERFLOW.search(data):
        _refuse_infinity(found)
    if _MAY_BE_NUL in data and any("\0" in text for text in _texts(found)):
        raise ValueError("a text holds the character NUL")
    return found


def _refuse_infinity(found: Any) -> None:
    try:
        json.dumps(found, allow_nan=False)
    except ValueError:
        raise ValueError("a number is out of range") from None


def _texts(found: Any) -> Iterator[str]:
    """Every text in it, keys too; it is at most 200 levels deep."""
    if isinstance(found, str):
        yield found
    elif isinstance(found, list):
        for each in found:
            yield from _texts(each)
    elif isinstance(found, dict):
        for key, value in found.items():
            yield key
            yield from _texts(value)
