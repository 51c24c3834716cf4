"""What a label is, task by task."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tunewright.data.columns import find_columns
from tunewright.data.labels import (
    Reader,
    counts,
    of_row,
    separator_of,
    sorted_labels,
    strata,
    targets,
)
from tunewright.data.rows import Rows, build_rows
from tunewright.data.split import split_rows
from tunewright.data.table import Table
from tunewright.errors import DataError

TEXTS = [f"text number {index}" for index in range(60)]


def table(labels: list[Any], name: str = "label") -> Table:
    texts = [TEXTS[index % 60] + " again" * (index // 60) for index in range(len(labels))]
    return Table(("text", name), pa.table({"text": texts, name: labels}), "x.parquet")


def rows(labels: list[Any], task: str = "auto") -> Rows:
    held = table(labels)
    return build_rows(held, find_columns(held, task=task))


@pytest.mark.parametrize(
    ("labels", "task"),
    [
        (["a", "b"] * 20, "text-classification"),
        ([0, 1, 2] * 20, "text-classification"),
        ([["a"], ["a", "b"]] * 20, "text-multi-label"),
        (['["a"]', "[]"] * 20, "text-multi-label"),
        ([index / 7 for index in range(60)], "text-regression"),
        ([1.5, 2.5] * 20, "text-classification"),
    ],
)
def test_the_task_is_told_by_the_labels(labels: list[Any], task: str) -> None:
    found = find_columns(table(labels))
    assert found.task == task
    assert "label" in found.reasons["task"]


def test_the_task_that_is_asked_for_is_taken() -> None:
    held = table(["a|b", "b"] * 20)
    assert find_columns(held).task == "text-classification"
    found = find_columns(held, task="text-multi-label")
    assert (found.task, found.separator) == ("text-multi-label", "|")
    assert find_columns(table([1, 2, 3] * 20), task="text-regression").kind == "number"


def test_decimal_numbers_are_no_classes() -> None:
    with pytest.raises(DataError, match="60 different decimal numbers") as caught:
        find_columns(table([index / 7 for index in range(60)]), task="text-classification")
    assert "text-regression" in caught.value.fix


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (["b", "a", "b"], ["a", "b"]),
        ('["b", "a"]', ["a", "b"]),
        ("b; a", ["a", "b"]),
        ("", []),
        (None, []),
        ([], []),
        ([1, 2.0], ["1", "2"]),
        (3, ["3"]),
    ],
)
def test_several_labels_are_read_in_any_form(value: Any, expected: list[str]) -> None:
    assert json.loads(Reader("several", ";")(value, "row 1", "y")) == expected


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        ("one", None, "row 1 has no label"),
        ("one", ["a"], "a list or object"),
        ("several", [["a"]], "a list or object"),
        ("several", {"a": 1}, "a list or object"),
        ("several", ["a", None], "row 1 has no label"),
        ("number", "much", "'much' as its label"),
        ("number", float("inf"), "expected a number"),
        ("number", float("nan"), "row 1 has no label"),
    ],
)
def test_what_is_no_label_is_refused_with_its_row(kind: Any, value: Any, said: str) -> None:
    with pytest.raises(DataError, match=said):
        Reader(kind)(value, "row 1", "y")


def test_the_mark_between_labels_is_the_first_that_is_there() -> None:
    assert separator_of(["a", "b, c", "d|e"]) == "|"
    assert separator_of(["a", '["b", "c"]']) is None


def test_targets_are_numbers_of_labels_ones_or_numbers() -> None:
    one = rows(["b", "a"] * 10)
    assert targets(one, ("a", "b"), "one").tolist() == [1, 0] * 10
    several = rows([["b"], ["a", "b"], []] * 10)
    assert targets(several, ("a", "b"), "several")[:3].tolist() == [[0, 1], [1, 1], [0, 0]]
    number = rows([index / 7 for index in range(60)])
    np.testing.assert_allclose(targets(number, ("label",), "number"), np.arange(60) / 7)
    with pytest.raises(DataError, match="has the label 'b', which training has not"):
        targets(several, ("a",), "several")


def test_labels_are_counted_once_for_each_row_that_has_them() -> None:
    labels = rows([["b"], ["a", "b"], []] * 10).labels
    assert labels is not None
    names = sorted_labels(labels, "several", "y")
    assert (names, counts(labels, names, "several")) == (("a", "b"), [10, 20])
    assert [of_row(label, "several") for label in labels[:3]] == [("b",), ("a", "b"), ()]
    assert counts(["1", "2"], ("y",), "number") == [2]


@pytest.mark.parametrize("kind", ["several", "number"])
def test_a_split_keeps_the_shares_of_labels_and_of_large_and_small_numbers(kind: Any) -> None:
    random = np.random.default_rng(0)
    if kind == "number":
        held = rows(random.normal(size=400).round(3).tolist(), task="text-regression")
    else:
        held = rows([["common"] if x < 0.9 else ["common", "rare"] for x in random.random(400)])
    parts = split_rows(held, by="stratified", validation=0.2, test=0.2, seed=0, kind=kind)
    layers = strata(held.labels or [], kind)
    whole = Counter(layers)
    for part, share in (("train", 0.6), ("validation", 0.2), ("test", 0.2)):
        there = Counter(layers[row] for row in parts[part])
        for layer, count in whole.items():
            assert abs(there[layer] - share * count) <= 1.01
