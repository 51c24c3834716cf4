"""Telephone numbers, as a library of all countries' numbering plans knows them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from tunewright.data.private.span import Span

KIND = "phone"
HOME_REGIONS = ("GB", "DE", "FR", "IT", "ES", "NL", "BE", "CH", "AT", "AU")
"""Whose numbers are known when written as at home, with a 0 in front."""
_WRITTEN = re.compile(r"(?<![\w.,/+-])\(?(?:\+\d|0(?!\.))(?:[ ()./–-]{0,2}\d){7,14}(?!\d)")
_AMERICAN = re.compile(r"(?<![\w.,/+-])(?:\([2-9]\d\d\) ?|[2-9]\d\d[.-])\d{3}[. -]\d{4}(?![\d-])")
_DATE = re.compile(r"\d{1,2}[./-]\d{1,2}[./-](?:\d{4}|\d\d)(?!\d)")
_LEAST_DIGITS = 10  # of a number that is written as at home


def phones(text: str) -> Iterator[Span]:
    """Numbers with + or 00 and their country; at home with 0 in front; or as in (212) 555-0123."""
    for met in _WRITTEN.finditer(text):
        if not _DATE.match(met[0]) and is_phone(re.sub(r"[^+\d]", "", met[0])):
            yield Span(*met.span(), KIND)
    for met in _AMERICAN.finditer(text):
        if _is_valid(re.sub(r"\D", "", met[0]), "US"):
            yield Span(*met.span(), KIND)


def is_phone(number: str) -> bool:
    """Whether these digits, maybe after a +, are given out as telephone numbers somewhere.

    >>> is_phone("+442079460958"), is_phone("0000123456")
    (True, False)
    """
    if number.startswith("00"):
        number = f"+{number[2:]}"
    if number.startswith("+"):
        return _is_valid(number, None)
    return len(number) >= _LEAST_DIGITS and any(_is_valid(number, home) for home in HOME_REGIONS)


@lru_cache(maxsize=10_000)
def _is_valid(number: str, region: str | None) -> bool:
    import phonenumbers

    try:
        return bool(phonenumbers.is_valid_number(phonenumbers.parse(number, region)))
    except phonenumbers.NumberParseException:
        return False
