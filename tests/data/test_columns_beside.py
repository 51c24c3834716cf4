"""Columns beside text and label are kept when asked for, and come back from the seal."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from tunewright.data.columns import find_columns
from tunewright.data.rows import Rows, build_rows
from tunewright.data.seal import open_seal, seal_part
from tunewright.data.table import Table
from tunewright.errors import DataError

ROWS: dict[str, list[object]] = {
    "text": ["good value", "bad value", "fine value"],
    "label": ["yes", "no", "yes"],
    "price": [3.0, None, 4.5],
    "region": ["north", " ", "south"],
    "tags": [["a"], [], ["b"]],
}


def rows_with(*names: str) -> Rows:
    table = Table(tuple(ROWS), pa.table(ROWS), "shop.parquet")
    columns = find_columns(table, text="text", label="label", task="text-classification")
    return build_rows(table, columns, beside=names)


def test_values_are_text_and_rows_without_one_have_none() -> None:
    assert rows_with("price", "region").take([2, 1]).columns == {
        "price": ["4.5", None],
        "region": ["south", None],
    }


def test_they_come_back_from_the_seal(tmp_path: Path) -> None:
    rows = rows_with("region")
    seal_part(tmp_path, rows)
    assert open_seal(tmp_path, run_id="one", command="test").columns == rows.columns


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("regoin", "did you mean 'region'"),
        ("weather", "evaluate.slices"),
        ("label", "is what is learned"),
        ("text", "is what is read"),
        ("tags", "holds lists"),
    ],
)
def test_a_column_that_cannot_be_used_is_refused(name: str, said: str) -> None:
    with pytest.raises(DataError) as caught:
        rows_with(name)
    assert said in str(caught.value)
