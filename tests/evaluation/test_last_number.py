"""Numbers are compared by value, however they are written."""

from __future__ import annotations

import time
from decimal import Decimal

import pytest

from tunewright.evaluation.last_number import last_number


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("48 / 2 = 24, and 48 + 24 = 72.\n#### 72", "72"),
        ("#### 1,234", "1234"),
        ("#### 1,234,567.50", "1234567.5"),
        ("#### -7", "-7"),
        ("#### −7", "-7"),
        ("a loss of -$1,200.", "-1200"),
        ("$-3.25", "-3.25"),
        ("10-5", "5"),
        ("(2)-3", "3"),
        ("x=-5", "-5"),
        ("+5", "5"),
        (".5", "0.5"),
        ("0.50", "0.5"),
        ("72.", "72"),
        ("72.0", "72"),
        ("50%", "50"),
        ("3,5 kg", "3.5"),
        ("0,125 l", "0.125"),
        ("1.234,56 €", "1234.56"),
        ("1.234.567", "1234567"),
        ("10'000", "10000"),
        ("10\u202f000", "10000"),
        ("1,2,3", "3"),
        ("on 12.05.2024", "2024"),
        ("6e3", "6000"),
        ("٤٢", "42"),
        ("between 3 and 4 of them", "4"),
    ],
)
def test_the_last_number_has_its_value(text: str, value: str) -> None:
    assert last_number(text) == Decimal(value)


@pytest.mark.parametrize("text", ["", "none", "-", "...", "½?"])
def test_a_text_without_digits_has_no_number(text: str) -> None:
    assert last_number(text) is None


@pytest.mark.parametrize("part", ["1", "1,", "1,234", "1.", "-", "'123"])
def test_long_repetition_is_read_in_no_time(part: str) -> None:
    start = time.perf_counter()
    last_number(part * 20_000)
    assert time.perf_counter() - start < 2
