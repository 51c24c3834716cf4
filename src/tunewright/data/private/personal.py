"""Personal data in a text: where somebody can be reached, and what somebody pays with.

Patterns begin only where a word does, and have a longest length: a text of 50 MB without a blank takes
no longer than any other of that size.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from tunewright.data.private.checksums import iban_length, is_card
from tunewright.data.private.phones import phones
from tunewright.data.private.span import Span, without_overlaps

KINDS = ("e-mail", "IBAN", "card", "IP address", "phone")
_MAIL = re.compile(r"(?<![\w.%+-])[\w.%+-]{1,64}@(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}(?![\w-])")
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d\d(?: ?[A-Z0-9]){11,30}(?![a-z0-9])")
_CARD = re.compile(r"(?<![\w.-])\d(?:[ -]?\d){12,18}(?![\w-])")
_IPV4 = re.compile(r"(?<![\w.-])\d{1,3}(?:\.\d{1,3}){3}(?![\w-]|\.\d)")
_IPV6 = re.compile(r"(?<![\w:.])[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{0,4}){3,7}(?![\w:])")
_DIGITS = re.compile(r"\d")
_FEWEST_DIGITS = 6  # of anything but an e-mail
_SHORTEST_ADDRESS = 9  # 1.2.3.4 is more often a chapter or a version


def personal(text: str) -> list[Span]:
    """Where the text holds an e-mail, IBAN, card, public IP address or phone, in order of place."""
    if len(_DIGITS.findall(text)) < _FEWEST_DIGITS:
        return list(_mails(text)) if "@" in text else []
    return without_overlaps(_all(text))


def _all(text: str) -> Iterator[Span]:
    yield from _mails(text)
    yield from _ibans(text)
    yield from _cards(text)
    yield from _addresses(text)
    yield from phones(text)


def _mails(text: str) -> Iterator[Span]:
    for met in _MAIL.finditer(text) if "@" in text else ():
        yield Span(*met.span(), "e-mail")


def _ibans(text: str) -> Iterator[Span]:
    for met in _IBAN.finditer(text):
        kept = [place for place, sign in enumerate(met[0]) if sign != " "]
        length = iban_length("".join(met[0][place] for place in kept))
        if length:
            yield Span(met.start(), met.start() + kept[length - 1] + 1, "IBAN")


def _cards(text: str) -> Iterator[Span]:
    for met in _CARD.finditer(text):
        if is_card(re.sub(r"\D", "", met[0])):
            yield Span(*met.span(), "card")


def _addresses(text: str) -> Iterator[Span]:
    for pattern in (_IPV4, _IPV6):
        for met in pattern.finditer(text):
            if len(met[0]) >= _SHORTEST_ADDRESS and _is_public(met[0]):
                yield Span(*met.span(), "IP address")


def _is_public(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_global
    except ValueError:
        return False
