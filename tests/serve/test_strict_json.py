"""JSON that says two things, or what cannot be kept, is none."""

from __future__ import annotations

import pytest

from tunewright.serve.strict_json import read_json


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b'{"a": 1, "a": 2}', "duplicate key"),
        (b"[NaN]", "expected value"),
        (b"[-Infinity]", "invalid number"),
        (b"[1e999]", "out of range"),
        (b"[1" + b"0" * 400 + b".0]", "out of range"),
        (b"[" + b"1" * 5000 + b"]", "out of range"),
        (b"[" * 205 + b"]" * 205, "recursion limit"),
        (b'["\\ud800"]', "hex escape"),
        (b'["\xff"]', "unicode"),
        ('["a"]'.encode("utf-16"), "expected value"),
        (b'[["a\\u0000"]]', "NUL"),
        (b'{"\\u0000": 1}', "NUL"),
        (b"{} {}", "trailing"),
        (b"", "EOF"),
    ],
)
def test_what_is_ambiguous_or_cannot_be_kept_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read_json(data)


def test_everything_else_is_what_it_was() -> None:
    data = '{"a": [1, -2.5e3, 1e-999, true, null], "b": {"": "ä\\\\u0000 \\ud83d\\ude00"}}'.encode()
    assert read_json(data) == {
        "a": [1, -2500.0, 0.0, True, None],
        "b": {"": "ä\\u0000 \N{GRINNING FACE}"},
    }
    assert read_json(b"9" * 300) == int("9" * 300)
