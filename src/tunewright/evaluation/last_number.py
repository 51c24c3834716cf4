"""The last number in a text, however it is written: how answers to arithmetic are compared."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

import regex

NUMBER = regex.compile(
    r"(?:(?<![\w)\]])(?P<sign>[-+−])\p{Sc}?)?"
    r"(?P<digits>(?:\d|(?<![\w.])\.(?=\d))\d*(?:['’\u00a0\u202f]\d{3})*(?:[.,]\d+)*)"
    r"(?P<power>[eE][-+]?\d{1,3}(?!\w))?"
)
THOUSANDS = regex.compile(r"[1-9]\d{0,2}(?:(?:,\d{3})+|(?:\.\d{3}){2,})")
QUOTES = regex.compile(r"['’\u00a0\u202f]")  # thousands too, in some countries
MARKS = regex.compile("[.,]")


def last_number(text: str) -> Decimal | None:
    """The last number of a text, or None.

    A minus counts unless it stands behind a word or a number. Thousands may be separated, and
    decimals begin with a point or a comma; of 1,234 and 1.234, the first is a thousand and more.

    >>> [str(last_number(text)) for text in ("#### 1,234.50.", "so -$7", "10-5", "3,5 kg", "none")]
    ['1234.50', '-7', '5', '3.5', 'None']
    """
    numbers = list(NUMBER.finditer(text))
    if not numbers:
        return None
    found = numbers[-1]
    sign = "-" if found["sign"] in ("-", "−") else ""
    try:
        return Decimal(sign + _plain(found["digits"]) + (found["power"] or ""))
    except InvalidOperation:  # digits of a kind that has no value
        return None


def _plain(digits: str) -> str:
    """Digits with at most a decimal point; of a list such as 1,2,3 or a date, its last part."""
    digits = "".join(QUOTES.split(digits))
    if THOUSANDS.fullmatch(digits):
        return "".join(MARKS.split(digits))
    parts: list[str] = MARKS.split(digits)
    if len(parts) == 1:
        return digits
    *whole, decimals = parts
    mark = max(".,", key=digits.rfind)
    if digits.count(mark) > 1:
        return decimals
    return f"{''.join(whole)}.{decimals}"
