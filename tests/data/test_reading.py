"""Files become tables whose values are those of the file, each row with its line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest

from tunewright.data import arrow_cache
from tunewright.data.read import read_data, read_table
from tunewright.errors import DataError

ROWS = [("Café, «crème»", "pos"), ("naïve façade", "neg"), ("plain words", "pos")]


def column(path: Path, name: str = "text") -> list[object]:
    return list(read_table(path).arrow[name].to_pylist())


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1", "cp1252"],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_the_same_rows_are_read_from_every_encoding(
    encoding: str, newline: str, tmp_path: Path
) -> None:
    path = tmp_path / "x.csv"
    lines = ["text,label", *(f'"{text}",{label}' for text, label in ROWS)]
    path.write_bytes(newline.join(lines).encode(encoding))
    table = read_table(path)
    assert table.columns == ("text", "label")
    assert table.arrow["text"].to_pylist() == [text for text, _ in ROWS]
    assert table.where(1) == f"line 3 of {path}"


def test_cyrillic_in_an_8_bit_encoding_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    text = "Это довольно длинное предложение о погоде и о людях"
    path.write_bytes(f"text,label\n{text},да\n{text} снова,нет\n".encode("cp1251"))
    assert column(path)[0] == text


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("name", ["x.csv", "x.tsv", "x.txt"])
def test_the_delimiter_is_found(delimiter: str, name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    rows = [("text", "label"), ("one two", "a"), ("three four", "b"), ("five six", "a")]
    path.write_text("\n".join(delimiter.join(row) for row in rows))
    assert column(path, "label") == ["a", "b", "a"]


def test_a_text_with_the_delimiter_a_quote_and_a_newline_keeps_them(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text('text,label\n"a ""b"", c\nd",pos\nlast,neg\n')
    table = read_table(path)
    assert table.arrow["text"].to_pylist() == ['a "b", c\nd', "last"]
    assert table.lines is not None
    assert table.lines.tolist() == [2, 4]


def test_a_tsv_of_tweets_with_stray_quotes_is_read_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "x.tsv"
    path.write_text('text\tlabel\n"so they say\tpos\nmy 5" phone\tneg\nok "then\tpos\n')
    assert column(path) == ['"so they say', 'my 5" phone', 'ok "then']


def test_values_that_mean_nothing_elsewhere_stay_text(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    words = ["null", "nan", "NA", "None", "n/a", "007", "1e5", "TRUE"]
    path.write_text("text,label\n" + "".join(f"{word},x\n" for word in words))
    assert column(path) == words


@pytest.mark.parametrize(
    ("content", "columns", "count"),
    [
        ("text,label\na b,x\n", ("text", "label"), 1),
        ("v1,v2\nham,hello there you\nspam,win now\nham,bye\n", ("v1", "v2"), 3),
        ("ham,hello there you\nspam,win now\nham,bye\n", ("column_1", "column_2"), 3),
        ("1,a stirring film\n0,a dull film\n", ("column_1", "column_2"), 2),
        (",text,label\n0,a,x\n1,b,y\n", ("column_1", "text", "label"), 2),
        (f"{'a long text ' * 9},good\nshort,bad\nother,bad\n", ("column_1", "column_2"), 3),
        ("Category,Message\nham,hello\n", ("Category", "Message"), 1),
        ("text\nhello world\nbye now\n", ("text",), 2),
    ],
)
def test_a_missing_header_is_noticed(
    content: str, columns: tuple[str, ...], count: int, tmp_path: Path
) -> None:
    path = tmp_path / "x.csv"
    path.write_text(content)
    table = read_table(path)
    assert table.columns == columns
    assert len(table) == count


def test_a_text_file_of_one_text_per_line_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_text("hello, you\n\nbye\nand, more, commas\n")
    table = read_table(path)
    assert table.arrow["column_1"].to_pylist() == ["hello, you", "bye", "and, more, commas"]
    assert table.where(1).startswith("line 3 of")


@pytest.mark.parametrize("name", ["x.csv", "x.tsv", "x.jsonl", "x.json"])
def test_a_text_of_a_million_characters_is_read(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    long = "word " * 200_000
    rows = [{"text": long, "label": "a"}, {"text": "short", "label": "b"}]
    if name.endswith("sv"):
        cut = "," if name == "x.csv" else "\t"
        path.write_text("\n".join([f"text{cut}label", f"{long}{cut}a", f"short{cut}b"]))
    elif name == "x.json":
        path.write_text(json.dumps(rows))
    else:
        path.write_text("\n".join(map(json.dumps, rows)))
    assert column(path) == [long, "short"]


def test_every_format_holds_the_same_rows(tmp_path: Path) -> None:
    rows = [{"text": text, "label": label} for text, label in ROWS]
    columns = {"text": [t for t, _ in ROWS], "label": [label for _, label in ROWS]}
    (tmp_path / "a.json").write_text(json.dumps(rows))
    (tmp_path / "b.json").write_text(json.dumps({"version": 1, "data": rows}))
    (tmp_path / "c.json").write_text(json.dumps(columns))
    by_index = {name: {str(i): v for i, v in enumerate(c)} for name, c in columns.items()}
    (tmp_path / "d.json").write_text(json.dumps(by_index))
    (tmp_path / "e.json").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "f.ndjson").write_text("\n\n".join(map(json.dumps, rows)))
    pa.parquet.write_table(pa.table(columns), tmp_path / "g.parquet")
    pa.feather.write_feather(pa.table(columns), tmp_path / "h.feather")
    with pa.ipc.new_stream(tmp_path / "i.arrow", pa.table(columns).schema) as writer:
        writer.write_table(pa.table(columns))
    files = sorted(tmp_path.iterdir())
    assert len(files) == 9
    for file in files:
        table = read_table(file)
        assert table.arrow.select(["text", "label"]).to_pydict() == columns, file.name


def test_json_values_keep_their_types_until_they_are_mixed(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    rows = [
        {"b": True, "i": 1, "f": 1, "m": True, "n": [1], "o": [1], "h": 10**30},
        {"b": None, "i": 2, "f": 2.5, "m": 3, "n": [2, 3], "o": {"a": 1}, "h": 1, "late": "x"},
    ]
    path.write_text("\n".join(map(json.dumps, rows)))
    table = read_table(path)
    held = table.arrow.to_pydict()
    assert (held["b"], held["i"], held["f"]) == ([True, None], [1, 2], [1.0, 2.5])
    assert held["m"] == ["true", "3"]
    assert held["n"] == [[1], [2, 3]]
    assert held["o"] == ["[1]", '{"a": 1}']
    assert held["h"] == [str(10**30), "1"]
    assert held["late"] == [None, "x"]
    assert table.is_nested("n")
    assert table.is_nested("o")
    assert not table.is_nested("m")


def test_half_a_surrogate_pair_becomes_the_replacement_character(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text('{"text": "a \\ud83d b", "label": "\\ud83d\\ude00"}\n')
    assert read_table(path).arrow.to_pylist() == [{"text": "a � b", "label": "😀"}]


@pytest.mark.parametrize("name", ["x.csv", "x.jsonl", "x.parquet"])
def test_a_large_file_is_mapped_from_the_cache_and_equal(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [{"text": f"row {i} é", "label": "ab"[i % 2]} for i in range(500)]
    path = tmp_path / name
    if name == "x.csv":
        path.write_text("text,label\n" + "".join(f"{r['text']},{r['label']}\n" for r in rows))
    elif name == "x.jsonl":
        path.write_text("\n".join(map(json.dumps, rows)))
    else:
        pa.parquet.write_table(pa.Table.from_pylist(rows), path)
    small = read_table(path)
    monkeypatch.setattr(arrow_cache, "LARGE_BYTES", 100)
    for _ in range(2):
        large = read_data(path)["all"]
        assert large.arrow.to_pylist() == small.arrow.to_pylist() == rows
        if small.lines is not None:
            assert np.array_equal(np.asarray(large.lines), small.lines)
    assert len(list((tmp_path / "cache" / "tables").iterdir())) == 1


def test_a_broken_large_file_leaves_nothing_in_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrow_cache, "LARGE_BYTES", 100)
    path = tmp_path / "x.csv"
    path.write_text("text,label\n" + "a,b\n" * 100 + "one,two,three\n")
    with pytest.raises(DataError, match="line 102 of"):
        read_data(path)
    assert list((tmp_path / "cache" / "tables").iterdir()) == []


def test_a_folder_gives_its_parts_under_their_names(tmp_path: Path) -> None:
    for name in ("train.csv", "dev.csv", "test.csv"):
        (tmp_path / name).write_text(f"text,label\n{name},a\n")
    (tmp_path / "README.md").write_text("hello")
    (tmp_path / "labels.json").write_text('["a"]')
    parts = read_data(tmp_path)
    assert list(parts) == ["train", "validation", "test"]
    assert parts["validation"].arrow["text"].to_pylist() == ["dev.csv"]


def test_a_folder_with_one_file_is_that_file(tmp_path: Path) -> None:
    (tmp_path / "sms.csv").write_text("text,label\na,b\n")
    assert list(read_data(tmp_path)) == ["all"]


def test_a_saved_data_set_is_read_with_the_names_of_its_classes(tmp_path: Path) -> None:
    import datasets

    features = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["bad", "good"])}
    )
    data = datasets.Dataset.from_dict({"text": ["a", "b"], "label": [1, 0]}, features=features)
    data.save_to_disk(str(tmp_path / "one"))
    datasets.DatasetDict(train=data, test=data).save_to_disk(str(tmp_path / "two"))
    assert read_data(tmp_path / "one")["all"].arrow["label"].to_pylist() == ["good", "bad"]
    parts = read_data(tmp_path / "two")
    assert set(parts) == {"train", "test"}
    data.to_parquet(str(tmp_path / "x.parquet"))
    assert column(tmp_path / "x.parquet", "label") == ["good", "bad"]


def put_on_hub(monkeypatch: pytest.MonkeyPatch, **sizes: int) -> None:
    """owner/name, with splits of so many rows; the texts are the split's name and a number."""
    import datasets
    from huggingface_hub import HfApi

    splits = {
        split: datasets.Dataset.from_dict({"text": [f"{split} {i}" for i in range(size)]})
        for split, size in sizes.items()
    }
    monkeypatch.setattr(HfApi, "dataset_info", lambda *_, **__: None)
    monkeypatch.setattr(datasets, "load_dataset", lambda name: datasets.DatasetDict(splits))


def test_a_data_set_of_the_hub_gives_its_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    put_on_hub(monkeypatch, train=2, test=1, unsupervised=3)
    parts = read_data("owner/name")
    assert {part: len(table) for part, table in parts.items()} == {"train": 2, "test": 1}
    assert parts["test"].arrow["text"].to_pylist() == ["test 0"]


@pytest.mark.parametrize("name", ["validation", "valid", "val", "dev", "Dev"])
def test_every_name_of_the_validation_part_means_it_everywhere(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import datasets

    put_on_hub(monkeypatch, **{"train": 2, name: 1})
    data = datasets.Dataset.from_dict({"text": [f"{name} 0"]})
    datasets.DatasetDict({"train": data, name: data}).save_to_disk(str(tmp_path / "saved"))
    (tmp_path / "files").mkdir()
    for part in ("train", name):
        (tmp_path / "files" / f"{part}.csv").write_text(f"text\n{name} 0\n")
    for source in ("owner/name", tmp_path / "saved", tmp_path / "files"):
        parts = read_data(source)
        assert list(parts) == ["train", "validation"]
        assert parts["validation"].arrow["text"].to_pylist() == [f"{name} 0"]


def test_a_data_set_of_the_hub_with_two_validation_parts_or_no_training_part_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    put_on_hub(monkeypatch, train=2, val=1, validation=1)
    with pytest.raises(DataError, match="two parts for validation: val and validation"):
        read_data("owner/name")
    put_on_hub(monkeypatch, corpus=2)
    with pytest.raises(DataError, match=r"no training part \(found: corpus\)"):
        read_data("owner/name")
