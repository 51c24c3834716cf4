"""Parts of the rows and their scores: every row is counted, and few rows claim nothing."""

from __future__ import annotations

import numpy as np
import pytest

from plain_rows import plain_rows
from tunewright.data.findings import Finding
from tunewright.evaluation.grouping import by_finding, by_language, by_length, by_value
from tunewright.evaluation.slices import slices

ENGLISH = "the parcel has not arrived yet and nobody answers the phone at all"
GERMAN = "das Paket ist noch nicht angekommen und niemand geht ans Telefon heute"


def test_quarters_by_length_hold_every_row_once() -> None:
    parts = by_length(["a" * n for n in range(1, 101)])
    assert len(parts) == 4
    np.testing.assert_array_equal(sum(part.astype(int) for part in parts.values()), 1)
    assert by_length(["same"] * 9).keys() == {"0 to 4 characters"} or len(by_length(["same"])) == 1
    assert by_length([]) == {}


@pytest.mark.parametrize(
    "values",
    [
        [str(n % 17) if n % 5 else None for n in range(100)],
        [f"shop {n % 30}" for n in range(100)],
        ["1", "two", None, "", "3"],
        [str(n / 7) for n in range(100)],
        [None] * 4,
    ],
    ids=["numbers", "many", "mixed", "fractions", "none"],
)  # fmt: skip
def test_groups_by_value_hold_every_row_once(values: list[str | None]) -> None:
    found = by_value(values)
    np.testing.assert_array_equal(sum(rows.astype(int) for rows in found.values()), 1)


def test_few_numbers_are_values_in_order_and_many_are_quarters() -> None:
    assert list(by_value(["10", "9", "9", None])) == ["9", "10", "no value"]
    found = by_value([str(n) for n in range(1, 101)])
    assert {name: int(rows.sum()) for name, rows in found.items()} == {
        "1 to 25": 25,
        "above 25, to 50": 25,
        "above 50, to 75": 25,
        "above 75, to 100": 25,
    }


def test_ten_values_are_shown_and_the_others_counted() -> None:
    values = [f"shop {n:02}" for n in range(15) for _ in range(20 - n)]
    found = by_value(values)
    assert list(found) == [*(f"shop {n:02}" for n in range(10)), "5 other values"]
    assert int(found["5 other values"].sum()) == sum(20 - n for n in range(10, 15))


def test_languages_are_told_apart_and_short_texts_are_counted() -> None:
    rows = plain_rows([ENGLISH] * 30 + [GERMAN] * 10 + ["yes"] * 5)
    assert {name: int(part.sum()) for name, part in by_language(rows).items()} == {
        "en": 30,
        "de": 10,
        "too short or mixed to tell": 5,
    }
    assert by_language(plain_rows([ENGLISH] * 30 + ["yes"] * 5)) == {}


def test_rows_with_a_finding_stand_beside_the_others() -> None:
    findings = [
        Finding("html", "note", "m", "f", 3, ids=("a", "c", "of another part")),
        Finding("outlier", "note", "m", "f", 1, ids=("of another part",)),
        Finding("drift", "note", "m", "f", 1),
    ]
    found = by_finding(["a", "b", "c", "d"], findings)
    assert list(found) == ["html"]
    assert found["html"]["with it"].tolist() == [True, False, True, False]
    assert found["html"]["without"].tolist() == [False, True, False, True]


def test_a_slice_has_its_own_score_and_few_rows_have_none() -> None:
    labels = np.arange(100) % 2
    answers = np.eye(2)[np.where(np.arange(100) < 50, labels, 1 - labels)] * 0.8 + 0.1
    parts = {"first": np.arange(100) < 50, "last": np.arange(100) >= 50, "few": np.arange(100) < 19}
    found = slices("accuracy", answers, labels, {"place": parts}, resamples=50, seed=0)
    assert [(each["by"], each["slice"], each["rows"]) for each in found] == [
        ("place", "first", 50),
        ("place", "last", 50),
        ("place", "few", 19),
    ]
    assert [each["score"] and each["score"]["value"] for each in found] == [1.0, 0.0, None]
