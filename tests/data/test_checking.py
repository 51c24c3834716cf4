"""The check names what is wrong, where, and what is left out because of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from tunewright.data.check import check_rows, excluded
from tunewright.data.checks.index import look
from tunewright.data.findings import Finding, Findings
from tunewright.data.rows import Rows
from tunewright.errors import DataError


def make(texts: list[str], labels: list[str], source: str = "x.csv") -> Rows:
    ids = [f"{i:032x}" for i in range(len(texts))]
    return Rows(texts, None, labels, ids, source, np.arange(2, len(texts) + 2))


def clean(count: int = 40, start: int = 0) -> tuple[list[str], list[str]]:
    return [f"some text {i}" for i in range(start, start + count)], ["pos", "neg"] * (count // 2)


def found(code: str, **parts: Rows) -> Finding | None:
    return next((f for f in check_rows(parts).findings if f.code == code), None)


def with_rows(*more: tuple[str, str]) -> Rows:
    texts, labels = clean()
    return make(texts + [t for t, _ in more], labels + [label for _, label in more])


def test_clean_rows_give_no_findings() -> None:
    findings = check_rows({"all": with_rows()})
    assert findings.as_json() == {"schema_version": 1, "findings": []}
    findings.refuse_errors()


@pytest.mark.parametrize(
    ("code", "severity", "more"),
    [
        ("empty-text", "warning", [("  \n", "pos")]),
        ("short-text", "note", [("ok", "pos")]),
        ("duplicate", "note", [("Some  TEXT 0", "pos")]),
        ("contradictory-label", "warning", [("some text 0 ", "neg")]),
        ("label-spelling", "warning", [("x1 y", "Pos"), ("x2 y", "Pos"), ("x3 y", "Pos")]),
        ("rare-class", "error", [("lonely text", "rare")]),
        ("class-imbalance", "warning", [(f"more text {i}", "pos") for i in range(500)]),
    ],
)
def test_each_kind_of_flaw_has_its_finding(
    code: str, severity: str, more: list[tuple[str, str]]
) -> None:
    finding = found(code, all=with_rows(*more))
    assert finding is not None
    assert finding.severity == severity
    assert finding.message
    assert finding.fix
    assert finding.count >= 1


def test_a_finding_shows_at_most_20_rows_with_file_line_and_text() -> None:
    finding = found("duplicate", all=with_rows(*[("some text 0", "pos")] * 30))
    assert finding is not None
    assert (finding.count, len(finding.rows)) == (30, 30)
    assert len(Findings((finding,)).as_json()["findings"][0]["rows"]) == 20
    assert finding.rows[0]["file"] == "x.csv"
    assert finding.rows[0]["line"] == 42
    assert finding.rows[0]["text"] == "some text 0"
    json.dumps(check_rows({"all": with_rows()}).as_json())


def test_a_text_file_has_lines_and_a_table_has_rows(
    tmp_path: Path, tiny_bert: Path, cli: Callable[..., Any]
) -> None:
    texts, labels = clean()
    texts, labels = [*texts, "lonely text"], [*labels, "rare"]
    pa.parquet.write_table(pa.table({"text": texts, "label": labels}), tmp_path / "x.parquet")
    rows = [f"{text},{label}" for text, label in zip(texts, labels, strict=True)]
    (tmp_path / "x.csv").write_text("\n".join(["text,label", *rows]))
    for name, unit, number in (("x.csv", "line", 42), ("x.parquet", "row", 41)):
        place = f"{unit} {number} of {tmp_path / name}"
        assert f"{place}: lonely text" in cli("check", tmp_path / name).out
        (found,) = json.loads(cli("check", tmp_path / name, "--json").out)["findings"]
        assert (found["rows"][0]["place"], found["rows"][0][unit]) == (place, number)
        assert f"(first: {place})" in cli("run", tmp_path / name, "--model", tiny_bert).err


def test_rows_that_leak_are_left_out_and_the_test_part_stays_whole() -> None:
    train, labels = clean(40)
    parts = {
        "train": make([*train, "Shared ONE", "shared two", ""], [*labels, "pos", "neg", "pos"]),
        "validation": make(["shared one", "new text"], ["pos", "neg"], "dev.csv"),
        "test": make(["shared  one", "shared two"], ["pos", "neg"], "test.csv"),
    }
    assert excluded(look(parts)) == {"train": {40, 41, 42}, "validation": {0}, "test": set()}
    leaks = [f for f in check_rows(parts).findings if f.code == "leak"]
    assert [f.severity for f in leaks] == ["error", "error", "warning"]
    assert "line 42 of x.csv and line 2 of test.csv" in leaks[1].message


def test_a_test_part_that_is_the_training_data_is_an_error() -> None:
    rows = make(*clean())
    finding = found("leak", train=rows, test=rows)
    assert finding is not None
    assert finding.severity == "error"
    with pytest.raises(DataError, match="leak"):
        check_rows({"train": rows, "test": rows}).refuse_errors()


def test_a_class_needs_as_many_texts_as_there_are_parts_to_fill() -> None:
    train = with_rows(("rare one", "rare"), ("rare two", "rare"))
    others = {"test": make(*clean(10, 100)), "validation": make(*clean(10, 200))}
    assert found("rare-class", all=train) is not None
    assert found("rare-class", train=train, test=others["test"]) is None
    assert found("rare-class", train=train, **others) is None
