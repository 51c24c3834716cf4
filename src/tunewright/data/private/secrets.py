"""Secrets in a text: keys of services by their well-known beginnings, and tokens of pure chance."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

from tunewright.data.private.span import Span, without_overlaps

LEAST_OF_A_KIND = 2
LEAST_CHANGES = 0.4  # between digit, capital and small letter, for each sign; by chance it is 0.6
_BEGINNINGS = {
    "API key": (
        r"sk-(?:[A-Za-z]{2,8}-)?[A-Za-z0-9_-]{20,200}"
        r"|[sr]k_(?:live|test)_[A-Za-z0-9]{16,120}"
        r"|AIza[A-Za-z0-9_-]{35}"
        r"|(?:AKIA|ASIA)[A-Z0-9]{16}"
        r"|SG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{32,64}"
    ),
    "access token": (
        r"gh[pousr]_[A-Za-z0-9]{36,251}|github_pat_[A-Za-z0-9_]{22,255}|glpat-[A-Za-z0-9_-]{20,64}"
        r"|xox[abeoprs]-[A-Za-z0-9-]{10,250}|hf_[A-Za-z0-9]{30,64}|npm_[A-Za-z0-9]{36}"
        r"|pypi-AgEI[A-Za-z0-9_-]{50,300}"
        r"|eyJ[A-Za-z0-9_-]{10,4000}\.eyJ[A-Za-z0-9_-]{10,4000}\.[A-Za-z0-9_-]{10,1000}"
    ),
}
_KNOWN = {
    kind: re.compile(rf"(?<![A-Za-z0-9_-])(?:{pattern})(?![A-Za-z0-9_-])")
    for kind, pattern in _BEGINNINGS.items()
}
_HINTS = (
    *("sk-", "k_live_", "k_test_", "AIza", "AKIA", "ASIA", "SG.", "ghp_", "gho_", "ghu_", "ghs_"),
    *("ghr_", "github_pat_", "glpat-", "xox", "hf_", "npm_", "pypi-", "eyJ"),
)
_SHORTEST_KNOWN = 15  # "xoxb-" and ten signs
_NAMES = ("key", "secret", "token", "passw", "passphrase")
_PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----(?:.{0,5000}?-----END [A-Z ]{0,20}PRIVATE KEY-----)?",
    re.DOTALL,
)
_IN_ADDRESS = re.compile(r"(?<=://)[^\s:@/]{1,64}:([^\s:@/]{3,64})(?=@[\w.-])")
_GIVEN = re.compile(
    r"(?i)(?:api[_ -]?key|secret|token|passwd|password|passphrase)[\"']?\s{0,3}(?:[:=]|is)\s{0,3}[\"']?"
    r"([^\s\"']{8,200})"
)
_LONG = re.compile(r"(?<![A-Za-z0-9+/_=-])[A-Za-z0-9_-]{24,200}={0,2}(?![A-Za-z0-9+/_=-])")


def secrets_in(text: str) -> list[Span]:
    """Where the text holds an API key, access token, private key or password, in order of place."""
    return without_overlaps(_all(text))


def _all(text: str) -> Iterator[Span]:
    if "PRIVATE KEY" in text:
        yield from (Span(*met.span(), "private key") for met in _PRIVATE_KEY.finditer(text))
    longest = max(map(len, text.split()), default=0)
    if longest >= _SHORTEST_KNOWN and any(hint in text for hint in _HINTS):
        for kind, pattern in _KNOWN.items():
            yield from (Span(*met.span(), kind) for met in pattern.finditer(text))
    if "://" in text:
        yield from (Span(*met.span(1), "password") for met in _IN_ADDRESS.finditer(text))
    lower = text.lower()
    for met in _GIVEN.finditer(text) if any(name in lower for name in _NAMES) else ():
        if _is_mixed(met[1]):
            yield Span(*met.span(1), "password")
    for met in _LONG.finditer(text) if longest >= 24 else ():
        if is_random(met[0]) and not _in_link(text, met.start()):
            yield Span(*met.span(), "random token")


def _is_mixed(value: str) -> bool:
    """Whether it has letters and digits: words after 'password:' are no password."""
    return any(sign.isdigit() for sign in value) and any(sign.isalpha() for sign in value)


def is_random(token: str) -> bool:
    """Whether signs of all kinds are mixed as by chance.

    >>> is_random("q8Zt2LmX0vRb7KdP4sWn1YcH"), is_random("TheVeryLongNameOfAFunction2")
    (True, False)
    """
    kinds = (str.isdigit, str.isupper, str.islower)
    if any(sum(map(is_kind, token)) < LEAST_OF_A_KIND for is_kind in kinds):
        return False
    which = [[is_kind(sign) for is_kind in kinds] for sign in token]
    changes = sum(one != two for one, two in itertools.pairwise(which))
    return changes >= LEAST_CHANGES * len(token)


def _in_link(text: str, start: int) -> bool:
    before = re.split(r"\s", text[max(0, start - 500) : start])[-1]
    return "://" in before or "www." in before
