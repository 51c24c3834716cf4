"""What stops a run, what goes on, and what is left out: each with a count and a list."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from tunewright.checking import check
from tunewright.data.prepare import Prepared, prepare
from tunewright.data.repairs import REPAIRS
from tunewright.errors import DataError
from tunewright.recipe.schema import Data

NEAR = ("my parcel has been lost on the way", "My parcel has been lost on the way home!")


def written(path: Path, texts: list[str], header: str = "text,label", start: int = 0) -> Path:
    more = header.count(",") - 1
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header.split(","))
        for at, text in enumerate(texts):
            label = "odd" if at % 2 else "even"
            writer.writerow([text, label, *[f"g{(start + at) // 3}"] * more])
    return path


def texts(count: int, start: int = 0) -> list[str]:
    return [f"text with the number {i}" for i in range(start, start + count)]


def folder_with(folder: Path, train: list[str], test: list[str], **more: Any) -> Path:
    folder.mkdir()
    written(folder / "train.csv", [*texts(40), *train], **more)
    written(folder / "test.csv", [*texts(20, 100), *test], **more)
    return folder


def prepared(path: Path, run: Path, **more: object) -> Prepared:
    (run / "data").mkdir(parents=True, exist_ok=True)
    return prepare(Data.model_validate({"train": str(path), **more}), 0, run)


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_near_copy_of_a_training_row_in_the_sealed_test_stops_the_run_and_both_are_named(
    tmp_path: Path,
) -> None:
    folder = folder_with(tmp_path / "parts", [NEAR[0]], [NEAR[1]])
    with pytest.raises(DataError) as refused:
        prepared(folder, tmp_path / "run")
    for row in (f"line 42 of {folder}/train.csv", f"line 22 of {folder}/test.csv"):
        assert row in refused.value.what
    assert "near-leak" in refused.value.what
    assert "--set data.allow=near-leak" in refused.value.fix
    assert not (tmp_path / "run" / "data" / "seal.json").exists()


def test_a_finding_that_is_allowed_does_not_stop_the_run(tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "parts", [NEAR[0]], [NEAR[1]])
    found = prepared(folder, tmp_path / "run", allow="near-leak")
    assert (found.left_out, found.seal.rows) == (0, 21)
    assert "near-leak" in {finding.code for finding in found.findings.findings}


def test_a_leak_that_is_allowed_is_left_out_of_training_and_counted(tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "parts", ["the same"], ["The same"])
    with pytest.raises(DataError, match="leak"):
        prepared(folder, tmp_path / "run", allow=["near-leak"])
    assert prepared(folder, tmp_path / "run", allow=["leak"]).left_out == 1


def test_many_contradictory_labels_stop_a_run_unless_allowed(tmp_path: Path) -> None:
    same = [text for text in texts(6, 50) for _ in range(2)]
    path = written(tmp_path / "x.csv", [*texts(40), *same])
    with pytest.raises(DataError, match=r"contradictory-label.*more than 10%"):
        prepared(path, tmp_path / "run")
    prepared(path, tmp_path / "run", allow=["contradictory-label"])


def test_rows_on_the_list_are_left_out_and_counted(tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "parts", [NEAR[0], "the same"], [NEAR[1], "the same"])
    listed = check(folder, exclude=tmp_path / "out.jsonl")["excluded"]
    assert listed["rows"] == 2
    assert [line["code"] for line in lines_of(tmp_path / "out.jsonl")] == ["near-leak", "leak"]
    found = prepared(folder, tmp_path / "run", exclude=str(tmp_path / "out.jsonl"))
    assert (found.excluded, found.left_out, found.seal.rows) == (2, 0, 22)
    assert found.findings.findings == ()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"content": "0" * 24}, "holds something else now"),
        ({"line": 999}, "names a row that"),
        ({"file": "other.csv"}, "which is not part of the data"),
    ],
)
def test_a_row_on_the_list_that_is_not_there_is_refused(
    tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    path = written(tmp_path / "x.csv", [*texts(40), "text with the number 2"])
    check(path, exclude=tmp_path / "out.jsonl")
    (line,) = lines_of(tmp_path / "out.jsonl")
    (tmp_path / "out.jsonl").write_text(json.dumps(line | change))
    with pytest.raises(DataError, match=f"line 1 of .*{said}"):
        prepared(path, tmp_path / "run", exclude=str(tmp_path / "out.jsonl"))


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_a_cleaned_copy_has_no_findings_and_lists_every_change(tmp_path: Path, suffix: str) -> None:
    more = ["", "text with the number 3", "Text with the  number 4", 'a, "b"\nand c']
    path = written(tmp_path / "x.csv", [*texts(40), *more])
    before = path.read_bytes()
    copy = tmp_path / f"clean{suffix}"
    fixed = check(path, fix=copy)["fixed"]
    assert fixed == {
        "path": str(copy),
        "changes_path": f"{copy}.changes.jsonl",
        "changes": 3,
    }
    changes = lines_of(tmp_path / f"clean{suffix}.changes.jsonl")
    assert [(each["line"], each["code"]) for each in changes] == [
        (42, "empty-text"),
        (43, "duplicate"),
        (44, "duplicate"),
    ]
    assert changes[1]["kept"] == f"line 5 of {path}"
    assert path.read_bytes() == before
    assert check(copy)["findings"] == []
    kept = [*texts(40), more[-1]]
    assert len(prepared(copy, tmp_path / "run").train) < len(kept)
    assert check(copy, fix=tmp_path / "again.jsonl")["fixed"]["changes"] == 0
    assert [row["text"] for row in lines_of(tmp_path / "again.jsonl")] == kept


def test_the_parts_of_a_cleaned_copy_do_not_leak_and_the_test_part_is_whole(tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "parts", [NEAR[0], "the same"], [NEAR[1], "the same"])
    fixed = check(folder, fix=tmp_path / "clean")["fixed"]
    assert fixed["changes"] == 2
    assert check(tmp_path / "clean")["findings"] == []
    assert prepared(tmp_path / "clean", tmp_path / "run").seal.rows == 22


def test_a_cleaned_copy_never_takes_the_place_of_a_file(tmp_path: Path) -> None:
    path = written(tmp_path / "x.csv", texts(40))
    with pytest.raises(DataError, match="is there already"):
        check(path, fix=path)
    with pytest.raises(DataError, match="suffix"):
        check(path, fix=tmp_path / "x.docx")


def test_a_repair_changes_texts_and_is_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(REPAIRS, "mojibake", lambda text: text.replace("Ã¼", "ü"))
    path = written(tmp_path / "x.csv", [*texts(40), "grÃ¼n ist es hier"])
    assert check(path, fix=tmp_path / "clean.csv")["fixed"]["changes"] == 1
    (change,) = lines_of(tmp_path / "clean.csv.changes.jsonl")
    assert (change["code"], change["line"], change["column"]) == ("mojibake", 42, "text")
    assert (change["before"], change["after"]) == ("grÃ¼n ist es hier", "grün ist es hier")
    assert "grün ist es hier" in (tmp_path / "clean.csv").read_text(encoding="utf-8")


def test_a_group_in_two_given_parts_is_a_leak(tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "parts", [], [], header="text,label,customer")
    with pytest.raises(DataError, match=r"group-leak.*'g0'"):
        prepared(folder, tmp_path / "run", group="customer")
    prepared(folder, tmp_path / "run", group="customer", allow="group-leak")


def test_a_column_that_looks_like_groups_is_suggested_unless_one_is_named(tmp_path: Path) -> None:
    path = written(tmp_path / "x.csv", texts(60), header="text,label,customer_id")
    (found,) = check(path)["findings"]
    assert (found["code"], found["severity"], found["count"]) == ("group-suggested", "note", 60)
    assert "data.group=customer_id" in found["fix"]
    assert check(path, settings=["data.group=customer_id"])["findings"] == []
    other = written(tmp_path / "y.csv", texts(60), header="text,label,colour")
    assert check(other)["findings"] == []


@pytest.mark.parametrize(
    ("name", "broken", "flaw"),
    [
        ("x.csv", "one,two,three", "has 3 values, expected 2 like the first row"),
        ("x.jsonl", '{"text": "cut sho', "is not JSON"),
    ],
)
def test_every_line_that_cannot_be_read_is_listed_and_stops_a_run_unless_allowed(
    tmp_path: Path, name: str, broken: str, flaw: str
) -> None:
    path = tmp_path / name
    check(written(tmp_path / "whole.csv", texts(40)), fix=tmp_path / f"good{path.suffix}")
    lines = (tmp_path / f"good{path.suffix}").read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([*lines[:7], broken, *lines[7:], broken]), encoding="utf-8")
    (found,) = check(path, fix=tmp_path / f"clean{path.suffix}")["findings"]
    assert (found["code"], found["severity"], found["count"]) == ("unreadable-line", "error", 2)
    assert [row["line"] for row in found["rows"]] == [8, len(lines) + 2]
    assert flaw in found["rows"][0]["text"]
    changes = lines_of(tmp_path / f"clean{path.suffix}.changes.jsonl")
    assert [change["code"] for change in changes] == ["unreadable-line"] * 2
    assert check(tmp_path / f"clean{path.suffix}")["findings"] == []
    with pytest.raises(DataError, match="line 8 of"):
        prepared(path, tmp_path / "run")
    parts = prepared(path, tmp_path / "run", allow="unreadable-line")
    assert (parts.left_out, sum(parts.sizes.values())) == (2, 40)


def test_a_file_of_which_most_cannot_be_read_is_refused_by_its_first_line(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    for content in ("no json\n" * 30, '{"text": "a", "label": "b"}\n' + "no json\n" * 30):
        path.write_text(content)
        with pytest.raises(DataError, match=r"line [12] of .* is not JSON"):
            check(path)
