"""Numbers that prove themselves: bank accounts and payment cards."""

from __future__ import annotations

import re

_IBAN_LENGTHS = (
    "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DK18 DO28 "
    "EE20 EG29 ES24 FI18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 "
    "IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MR27 MT31 MU30 "
    "NL18 NO15 PK24 PL28 PS29 PT25 QA29 RO24 RS22 SA24 SC31 SE24 SI19 SK24 SM27 ST25 SV28 TL23 "
    "TN24 TR26 UA29 VA22 VG24 XK20"
)
IBAN_LENGTHS = {word[:2]: int(word[2:]) for word in _IBAN_LENGTHS.split()}
# Visa, Mastercard, American Express, Discover, JCB, Diners, UnionPay: first digits and length
_CARD = re.compile(
    r"4(?:\d{12}|\d{15})"
    r"|(?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}"
    r"|3[47]\d{13}"
    r"|(?:6011|65\d\d|64[4-9]\d|35[2-8]\d)\d{12}"
    r"|3(?:0[0-5]|[68]\d)\d{11}"
    r"|62\d{14,17}"
)


def iban_length(text: str) -> int:
    """How many letters and digits at the beginning are a bank account's number; 0 for none.

    Source:
        ISO 13616: the country's length, and a remainder of 1 modulo 97.

    >>> iban_length("DE89370400440532013000"), iban_length("DE88370400440532013000")
    (22, 0)
    """
    length = IBAN_LENGTHS.get(text[:2], 0)
    if not length or len(text) < length:
        return 0
    turned = text[4:length] + text[:4]
    return length if int("".join(str(int(sign, 36)) for sign in turned)) % 97 == 1 else 0


def is_card(digits: str) -> bool:
    """Whether it is a payment card's number: first digits, length, and checksum of Luhn.

    >>> is_card("4111111111111111"), is_card("4111111111111112")
    (True, False)
    """
    if _CARD.fullmatch(digits) is None or len(set(digits)) == 1:
        return False
    doubled = (divmod(2 * int(digit), 10) for digit in digits[-2::-2])
    return (sum(map(int, digits[::-2])) + sum(tens + ones for tens, ones in doubled)) % 10 == 0
