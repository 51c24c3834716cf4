"""Columns are found with a reason, or refused; rows have ids that depend on content alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tunewright.data.columns import find_columns
from tunewright.data.rows import Rows, build_rows, in_chunks, joined_texts
from tunewright.data.table import Table
from tunewright.errors import DataError

TEXTS = [f"some words about thing number {i}" for i in range(40)]
LABELS = ["a", "b"] * 20


def table(**columns: list[Any]) -> Table:
    return Table(tuple(columns), pa.table(columns), "x.parquet")


def rows(labels: list[Any], texts: list[Any] | None = None, **more: list[Any]) -> Rows:
    held = table(text=texts or TEXTS[: len(labels)], label=labels, **more)
    return build_rows(held, find_columns(held), group="g" if "g" in more else None)


@pytest.mark.parametrize(
    ("text", "label"),
    [("text", "label"), ("Sentence", "Category"), ("tweet", "sentiment"), ("message", "intent")],
)
def test_columns_are_known_by_their_names(text: str, label: str) -> None:
    found = find_columns(table(**{"id": TEXTS, label: LABELS, text: TEXTS}))
    assert (found.text, found.text_pair, found.label) == (text, None, label)
    assert set(found.reasons) == {"text", "label", "task"}


def test_columns_are_known_by_their_content() -> None:
    found = find_columns(table(v1=LABELS, v2=TEXTS))
    assert (found.text, found.label) == ("v2", "v1")


@pytest.mark.parametrize(
    ("one", "two"),
    [("sentence1", "sentence2"), ("premise", "hypothesis"), ("question1", "question2")],
)
def test_pairs_are_known_by_their_names(one: str, two: str) -> None:
    held = table(**{one: TEXTS, two: TEXTS, "label": LABELS})
    found = find_columns(held)
    assert (found.text, found.text_pair) == (one, two)
    assert find_columns(held, text=one, text_pair=None).text_pair is None


def test_label_is_preferred_to_label_name() -> None:
    held = table(text=TEXTS, label=[0, 1] * 20, label_name=LABELS)
    assert find_columns(held).label == "label"
    assert find_columns(held, label="label_name").label == "label_name"


def test_names_in_the_recipe_come_first() -> None:
    found = find_columns(table(text=TEXTS, note=TEXTS, label=LABELS, kind=LABELS), text="note")
    assert found.text == "note"


def test_a_misspelt_column_is_answered_with_the_near_one() -> None:
    with pytest.raises(DataError) as caught:
        find_columns(table(text=TEXTS, label=LABELS), label="lable")
    assert "--data.columns.label label" in caught.value.fix


def test_a_table_without_labels_is_enough_for_prediction() -> None:
    found = find_columns(table(text=TEXTS), need_label=False)
    assert (found.text, found.label) == ("text", None)


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ([3, 4], ["3", "4"]),
        ([3.0, 4.0], ["3", "4"]),
        ([True, False], ["true", "false"]),
        (["1.0", " b"], ["1.0", " b"]),
    ],
)
def test_labels_are_text_whatever_they_were(values: list[Any], labels: list[str]) -> None:
    assert rows(values * 20).labels == labels * 20


def test_texts_are_kept_exactly() -> None:
    odd = ["  two  spaces ", "tab\tand\nline", "", "null", "😀\u200b"]
    assert list(rows(["a", "b", "a", "b", "a"], odd).texts) == odd


def test_equal_rows_have_ids_that_differ_and_do_not_depend_on_order() -> None:
    one = rows(["a", "a", "b"], ["x y", "x y", "z"])
    two = rows(["b", "a", "a"], ["z", "x y", "x y"])
    assert len(set(one.ids)) == 3
    assert all(len(row_id) == 32 and int(row_id, 16) >= 0 for row_id in one.ids)
    assert set(one.ids) == set(two.ids)
    assert not set(one.ids) & set(rows(["b", "b", "a"], ["x y", "x y", "z"]).ids)


def test_take_keeps_texts_labels_and_places_together() -> None:
    some = rows(LABELS).take([7, 3]).take([1])
    assert (len(some), some.texts[0], some.labels) == (1, TEXTS[3], [LABELS[3]])
    assert some.place(0) == "row 4 of x.parquet"
    assert list(some.texts) == some.texts[:] == [TEXTS[3]]


def test_a_row_without_its_group_is_named() -> None:
    with pytest.raises(DataError, match="row 2 of"):
        rows(["a", "b", "a"], g=["x", None, "y"])


def test_rows_that_count_as_the_same_have_the_same_key() -> None:
    known = rows(["a"] * 4, ["One  two", "one two ", "one", "onetwo"])
    by_hand = Rows(list(known.texts), None, known.labels, known.ids, "x", known.numbers)
    keys = known.text_keys().tolist()
    assert keys == by_hand.text_keys().tolist()
    assert (keys[0] == keys[1], len(set(keys))) == (True, 3)
    assert known.take([3, 0]).text_keys().tolist() == [keys[3], keys[0]]


def test_chunks_hold_few_rows_and_few_characters() -> None:
    texts = ["x"] * 2100 + ["long" * 100_000] * 6
    found = list(in_chunks(texts, texts))
    assert [text for some, _ in found for text in some] == texts
    assert all(some == pairs for some, pairs in found)
    assert max(len(some) for some, _ in found) == 1000
    assert max(sum(map(len, some)) for some, _ in found) < 1_100_000
    assert list(in_chunks([])) == []


def test_two_texts_are_joined_when_asked_for() -> None:
    paired = Rows(["a", "b"], ["c", "d"], None, ["", ""], "x", np.arange(2))
    assert list(joined_texts(paired)) == ["a [SEP] c", "b [SEP] d"]
    assert joined_texts(paired)[1:] == ["b [SEP] d"]
