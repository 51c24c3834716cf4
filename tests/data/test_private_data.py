"""Personal data and secrets are found, plain texts are left alone, and nothing found is ever shown."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest

from tunewright.data.check import check_rows
from tunewright.data.private.masked import masked
from tunewright.data.private.personal import personal
from tunewright.data.private.secrets import secrets_in
from tunewright.data.rows import Rows

PERSONAL = [
    ("e-mail", "anna.meier+shop@posteo.net"),
    ("e-mail", "jürgen@müller.de"),
    ("IBAN", "DE89370400440532013000"),
    ("IBAN", "GB82 WEST 1234 5698 7654 32"),
    ("card", "4111 1111 1111 1111"),
    ("card", "378282246310005"),
    ("IP address", "93.184.216.34"),
    ("IP address", "2001:4860:4860::8888"),
    ("phone", "+49 30 901820"),
    ("phone", "0044 20 7946 0958"),
    ("phone", "07911 123456"),
    ("phone", "(212) 736-5000"),
]
SECRETS = [
    ("API key", "sk-proj-abc123DEF456ghi789JKL012mno"),
    ("API key", "AKIA" + "IOSFODNN7EXAMPLE"),
    ("access token", "ghp_" + "a1B2c3D4e5F6" * 3),
    ("random token", "q8Zt2LmX0vRb7KdP4sWn1YcH"),
    ("private key", "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----"),
]
PLAIN = [
    "order 0000123456 of 2024-01-01 12:30:11, version 1.2.3.4",
    "call 01.02.2024 10:30, or row 12 of 345 at 0.9235687435",
    "my password: forgotten, and the token is missing",
    "DE88370400440532013000 has a wrong checksum, and so has 4111111111111112",
    "the router has 192.168.0.1 and 127.0.0.1",
    "3600000000000 + 62426244000 + 1984724 is a sum, @user knows",
    "TheVeryLongNameOfAFunction2 in https://example.org/q8Zt2LmX0vRb7KdP4sWn1YcH",
]


@pytest.mark.parametrize(("kind", "value"), PERSONAL + SECRETS)
def test_each_kind_is_found_and_masked_whole(kind: str, value: str) -> None:
    text = f"Please note: {value} is what I have."
    assert [span.kind for span in personal(text) + secrets_in(text)] == [kind]
    assert masked(text) == f"Please note: [{kind}] is what I have."


@pytest.mark.parametrize("text", PLAIN)
def test_what_only_looks_private_is_left_alone(text: str) -> None:
    assert masked(text) == text


def test_a_password_is_masked_and_its_name_is_not() -> None:
    assert masked("postgres://me:s3cret@db.net/x") == "postgres://me:[password]@db.net/x"
    assert masked("password: hunter2go!") == "password: [password]"


def test_a_long_text_without_blanks_takes_no_longer_than_its_length() -> None:
    began = time.perf_counter()
    for text in ("a" * 200_000, "1" * 200_000, "a.b@" * 50_000, "A1" * 100_000):
        personal(text)
        secrets_in(text)
    assert time.perf_counter() - began < 10


def test_counts_are_by_kind_and_no_finding_shows_a_value() -> None:
    texts = [f"a plain text of number {i}" for i in range(40)]
    texts += [f"{value} is mine, number {i}" for i, (_, value) in enumerate(PERSONAL + SECRETS)]
    texts += texts[40:]  # duplicates are shown too
    rows = Rows(
        texts,
        None,
        ["a", "b"] * (len(texts) // 2),
        [f"{i:032x}" for i in range(len(texts))],
        "x.csv",
        np.arange(len(texts)),
    )
    found = check_rows({"all": rows}).as_json()
    counts = {finding["code"]: finding["count"] for finding in found["findings"]}
    assert counts["personal-data"] == 2 * len(PERSONAL)
    assert counts["secret"] == 2 * len(SECRETS)
    assert counts["duplicate"] == len(PERSONAL + SECRETS)
    written = json.dumps(found, ensure_ascii=False)
    assert [value for _, value in PERSONAL + SECRETS if value in written] == []
    assert "phone: 8" in written
