"""Malformed files: (name, builder(folder) -> path, a part of the message that is expected)."""

from __future__ import annotations

import gzip
import json
import pickle
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet

Builder = Callable[[Path], Path]
Case = tuple[str, Builder, str]
_WORDS = "red green blue white black small large warm cold early late near far dry wet"
WORDS = _WORDS.split()


def good(count: int = 40, labels: Iterable[Any] = ("pos", "neg")) -> list[dict[str, Any]]:
    """Rows that nothing is wrong with."""
    labels = list(labels)
    return [
        {"text": f"the {WORDS[i % 15]} thing number {i} is here", "label": labels[i % len(labels)]}
        for i in range(count)
    ]


def as_csv(rows: list[dict[str, Any]], header: str = "text,label") -> str:
    return "\n".join([header, *(",".join(str(v) for v in row.values()) for row in rows)]) + "\n"


def raw(name: str, content: str | bytes) -> Builder:
    """A file with this content."""

    def build(folder: Path) -> Path:
        path = folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return build


def lines(name: str, rows: list[Any]) -> Builder:
    return raw(name, "\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows))


def table(name: str, columns: dict[str, Any]) -> Builder:
    def build(folder: Path) -> Path:
        path = folder / name
        if name.endswith(".parquet"):
            pa.parquet.write_table(pa.table(columns), path)
        else:
            pa.feather.write_feather(pa.table(columns), path, compression="uncompressed")
        return path

    return build


def cut(builder: Builder, keep: float) -> Builder:
    """The file with its end missing."""

    def build(folder: Path) -> Path:
        path = builder(folder)
        content = path.read_bytes()
        path.write_bytes(content[: int(len(content) * keep)])
        return path

    return build


def folder_of(*builders: Builder) -> Builder:
    def build(folder: Path) -> Path:
        inside = folder / "tickets"
        inside.mkdir()
        for builder in builders:
            builder(inside)
        return inside

    return build


def _zipped(folder: Path) -> Path:
    path = folder / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.csv", as_csv(good()))
    return path


def _workbook(folder: Path) -> Path:
    return _zipped(folder).rename(folder / "x.xlsx")


def _workbook_named_csv(folder: Path) -> Path:
    return _zipped(folder).rename(folder / "x.csv")


def _missing_near(folder: Path) -> Path:
    (folder / "tickets.csv").write_text(as_csv(good()))
    return folder / "tickest.csv"


def _missing(folder: Path) -> Path:
    return folder / "nowhere" / "x.csv"


def _link_to_itself(folder: Path) -> Path:
    (folder / "x.csv").symlink_to(folder / "x.csv")
    return folder / "x.csv"


def _folder_named_csv(folder: Path) -> Path:
    (folder / "x.csv").mkdir()
    return folder / "x.csv"


def _sounds(folder: Path) -> Path:
    for name in ("cat", "dog"):
        (folder / "pets" / name).mkdir(parents=True)
        (folder / "pets" / name / "1.wav").write_bytes(b"RIFF")
    return folder / "pets"


def _train_is_folder(folder: Path) -> Path:
    (folder / "tickets" / "train.csv").mkdir(parents=True)
    return folder / "tickets"


def _saved_without_shard(folder: Path) -> Path:
    state = {"_data_files": [{"filename": "data-00000-of-00001.arrow"}]}
    return folder_of(raw("state.json", json.dumps(state)))(folder)


CSV = as_csv(good())
GOOD = raw("train.csv", CSV)
TEXTS = [row["text"] for row in good()]
LONG = "and so the writer goes on for a while about nothing at all, as writers do, "
LINES = CSV.splitlines()


def _with_line(number: int, line: str) -> str:
    """The good file with its 1-based line replaced."""
    return "\n".join([*LINES[: number - 1], line, *LINES[number:]]) + "\n"


CASES: list[Case] = [
    # nothing in it
    ("empty file", raw("x.csv", ""), "is empty"),
    ("empty jsonl", raw("x.jsonl", ""), "is empty"),
    ("empty json", raw("x.json", "  "), "is empty"),
    ("empty json list", raw("x.json", "[]"), "is empty"),
    ("only blank lines", raw("x.csv", "\n\n\n"), "is empty"),
    ("byte order mark and nothing else", raw("x.csv", b"\xef\xbb\xbf"), "is empty"),
    ("header only", raw("x.csv", "text,label\n"), "no rows"),
    ("rows of commas only", raw("x.csv", "text,label\n,\n,\n"), "no rows"),
    ("parquet without rows", table("x.parquet", {"text": pa.array([], "string")}), "no rows"),
    # classes and rows
    ("one class", raw("x.csv", as_csv(good(40, ["pos"]))), "one class"),
    ("class with one row", raw("x.csv", CSV + "a text alone,rare\n"), "'rare' has 1"),
    ("class of two rows", raw("x.csv", CSV + "one,rare\ntwo,rare\n"), "'rare' has 2"),
    ("class of equal rows", raw("x.csv", CSV + "same,rare\n" * 5), "'rare' has 1"),
    ("10 rows", raw("x.csv", as_csv(good(10))), "has 10 rows"),
    ("more classes than half the rows", raw("x.csv", as_csv(good(20, range(11)))), "11 classes"),
    ("all texts empty", raw("x.csv", "text,label\n" + ",pos\n,neg\n" * 20), "is empty"),
    ("all texts blank", raw("x.csv", "text,label\n" + "  ,pos\n \t,neg\n" * 20), "is empty"),
    ("blank label", raw("x.csv", _with_line(17, "some words,")), "line 17 of"),
    ("label of spaces", raw("x.csv", _with_line(9, "some words,   ")), "line 9 of"),
    ("null label", lines("x.jsonl", [*good(), {"text": "words", "label": None}]), "line 41 of"),
    ("label key missing", lines("x.jsonl", [*good(), {"text": "words"}]), "line 41 of"),
    # cells
    ("too many values", raw("x.csv", _with_line(7, "one, two,pos")), "line 7 of"),
    ("too few values", raw("x.csv", _with_line(8, "only a text")), "line 8 of"),
    ("ragged tsv", raw("x.tsv", CSV.replace(",", "\t") + "a\tb\tc\n"), "line 42 of"),
    ("quote never closed", raw("x.csv", _with_line(30, '"no end,pos')), "line 30 of"),
    ("quote in the wrong place", raw("x.csv", _with_line(5, '"one" two,pos')), "line 5 of"),
    ("column named twice", raw("x.csv", CSV.replace("text,label", "text,text")), "2 times"),
    # bytes
    ("NUL byte", raw("x.csv", _with_line(12, "one\0two,pos")), "line 12 of"),
    ("NUL bytes only", raw("x.csv", b"\0" * 500), "binary"),
    ("png image", raw("x.png", b"\x89PNG\r\n\x1a\n" + b"\0" * 50), "PNG"),
    ("png image named csv", raw("x.csv", b"\x89PNG\r\n\x1a\n" + b"\0" * 50), "PNG"),
    ("random bytes", raw("x.csv", bytes((i * 89 + i // 7) % 256 for i in range(4000))), "binary"),
    ("gzip", raw("x.csv.gz", gzip.compress(CSV.encode())), "gzip"),
    ("gzip named jsonl", raw("x.jsonl", gzip.compress(CSV.encode())), "gzip"),
    ("zip", _zipped, "ZIP"),
    ("Excel workbook", _workbook, "Excel"),
    ("Excel workbook named csv", _workbook_named_csv, "Excel"),
    ("pickle", raw("x.pkl", pickle.dumps(good())), "pickle"),
    ("pickle named csv", raw("x.csv", pickle.dumps(good())), "pickle"),
    ("UTF-16 cut short, no mark", raw("x.csv", CSV.encode("utf-16-le")[:-1]), "middle of a char"),
    ("UTF-16 cut short", raw("x.csv", CSV.encode("utf-16")[:-1]), "middle of a char"),
    (
        "one bad byte in UTF-8",
        raw("x.csv", (CSV.replace("thing", "Tür ü") + "schön,pos\n").encode() + b"sch\xf6n,pos\n"),
        "line 43 of",
    ),
    # JSON
    ("broken line", lines("x.jsonl", [*good(), '{"text": "a", ']), "line 41 of"),
    (
        "a line ends within its object",
        lines("x.jsonl", [*good()[:20], '{"text": "a"', *good()[20:]]),
        "is not JSON: Expecting ',' delimiter (column 13)",
    ),
    (
        "a list in a file of lines",
        raw("x.jsonl", json.dumps(good())),
        "line 1 of",
    ),
    (
        "a key twice",
        lines("x.jsonl", [*good(), '{"text": "a", "label": "pos", "label": "neg"}']),
        "an object has the key 'label' twice",
    ),
    (
        "a key twice in a list",
        raw("x.json", '[{"text": "a", "text": "b", "label": "pos"}]'),
        "an object has the key 'text' twice",
    ),
    ("lines are lists", lines("x.jsonl", [["a", "pos"], ["b", "neg"]]), "a list, expected"),
    ("lines are numbers", lines("x.jsonl", ["1", "2"]), "a number, expected"),
    ("json scalar", raw("x.json", "42"), "a number"),
    ("json string", raw("x.json", '"rows"'), "a string"),
    ("json of strings", raw("x.json", '["a", "b"]'), "row 1 of"),
    ("json settings", raw("x.json", '{"name": "x", "size": 3}'), "not a list"),
    ("json cut short", cut(raw("x.json", json.dumps(good(), indent=1)), 0.7), "is not JSON"),
    ("json columns of unequal length", raw("x.json", '{"text": ["a"], "label": []}'), "unequal"),
    ("deep json", raw("x.json", "[" * 200_000), "x.json"),
    (
        "nested text",
        lines("x.jsonl", [r | {"text": {"body": "a"}} for r in good()]),
        "lists or obj",
    ),
    ("labels are objects", lines("x.jsonl", good(40, [{"id": 1}, {"id": 2}])), "lists or objects"),
    ("labels are equal lists", lines("x.jsonl", good(40, [["a", "b"]])), '["a", "b"]'),
    ("labels are empty lists", lines("x.jsonl", good(40, [[]])), "nothing to learn"),
    ("lists of lists as labels", lines("x.jsonl", good(40, [[["a"]], [["b"]]])), "list or object"),
    ("labels of mixed kinds", lines("x.jsonl", good(40, ["a", {"b": 1}])), "lists or objects"),
    # columns
    ("no label column", raw("x.csv", "text\n" + "\n".join(TEXTS)), "the label"),
    (
        "no text column",
        raw("x.csv", as_csv([{"a": i, "b": i % 2} for i in range(40)], "a,b")),
        "the text",
    ),
    (
        "two columns of text",
        raw(
            "x.csv",
            as_csv([{"a": t, "b": t, "l": "xy"[i % 2]} for i, t in enumerate(TEXTS)], "a,b,l"),
        ),
        "it could be",
    ),
    (
        "free text as label",
        raw("x.csv", as_csv([{"text": t, "label": f"{LONG.replace(',', '')} {t}"} for t in TEXTS])),
        "free text",
    ),
    (
        "decimal numbers as label",
        raw("x.csv", as_csv(good(60, [*(i / 7 for i in range(59)), "inf"]))),
        "'inf' as its label",
    ),
    # Parquet and Arrow
    (
        "parquet of lists",
        table("x.parquet", {"text": [["a"]] * 40, "label": ["a", "b"] * 20}),
        "lists",
    ),
    ("parquet of label lists", table("x.parquet", {"text": TEXTS, "label": [["a"]] * 40}), '["a"]'),
    (
        "parquet of bytes",
        table("x.parquet", {"text": [b"a"] * 40, "label": ["a", "b"] * 20}),
        "bytes",
    ),
    (
        "parquet with null label",
        table("x.parquet", {"text": TEXTS, "label": ["a", None] * 20}),
        "row 2 of",
    ),
    ("parquet cut short", cut(table("x.parquet", {"text": TEXTS}), 0.6), "whole Parquet"),
    ("parquet that is text", raw("x.parquet", CSV), "whole Parquet"),
    ("arrow cut short", cut(table("x.arrow", {"text": TEXTS}), 0.5), "whole Arrow"),
    ("arrow that is text", raw("x.arrow", CSV), "whole Arrow"),
    # places
    ("missing file with a near name", _missing_near, "there is no file"),
    ("missing folder", _missing, "there is no file"),
    ("unknown suffix", raw("x.dat", CSV), "unknown suffix '.dat'"),
    ("no suffix", raw("tickets", CSV), "no suffix"),
    ("link to itself", _link_to_itself, "there is no file"),
    ("folder named x.csv", _folder_named_csv, "x.csv has no data file"),
    ("empty folder", folder_of(), "no data file"),
    ("folder without data", folder_of(raw("README.md", "hello")), "no data file"),
    (
        "folder with a test file only",
        folder_of(raw("test.csv", CSV), raw("dev.csv", CSV)),
        "no training",
    ),
    ("folder with two train files", folder_of(GOOD, raw("train.tsv", CSV)), "two parts for train"),
    ("folder with unnamed parts", folder_of(raw("a.csv", CSV), raw("b.csv", CSV)), "several data"),
    ("folder of sounds", _sounds, "sound"),
    ("train is a folder", _train_is_folder, "is a folder"),
    ("saved data set without its shard", _saved_without_shard, "lacks its file"),
    # parts that do not fit together
    ("test is the training data", folder_of(GOOD, raw("test.csv", CSV)), "leak"),
    (
        "test has labels of its own",
        folder_of(GOOD, raw("test.csv", as_csv([{"t": f"new {i}", "l": "odd"} for i in range(9)]))),
        "no training row",
    ),
    ("test without rows", folder_of(GOOD, raw("test.csv", "text,label\n")), "test.csv has no rows"),
    (
        "test without labels",
        folder_of(GOOD, raw("test.csv", "text\n" + "\n".join(f"new {t}" for t in TEXTS))),
        "test.csv",
    ),
]
