"""The seal: looks are counted across runs, changed rows are noticed, nobody reads it by accident."""

from __future__ import annotations

import json
import os
import stat
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tunewright.data.read import read_data, read_table
from tunewright.data.rows import Rows, Texts, content_digits
from tunewright.data.seal import MAGIC, looks, open_seal, refuse_sealed, seal_part
from tunewright.errors import ChangedError, SealError


def make(texts: list[str], label: str = "a") -> Rows:
    ids = [content_digits(text, None, label) + "00000000" for text in texts]
    labels, times = [label] * len(texts), [1.5] * len(texts)
    return Rows(texts, None, labels, ids, "x.csv", np.arange(2, len(texts) + 2), times=list(times))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "runs" / "one"
    folder.mkdir(parents=True)
    seal_part(folder, make(["first text", "second text"]))
    return folder


def test_what_was_sealed_comes_back(run: Path) -> None:
    rows = open_seal(run, run_id="one", command="test")
    sealed = make(["first text", "second text"])
    assert list(rows.texts) == list(sealed.texts)
    assert (rows.labels, rows.ids, rows.times) == (sealed.labels, sealed.ids, sealed.times)
    assert rows.place(1) == "line 3 of x.csv"


def test_sealed_conversations_come_back_as_such(tmp_path: Path) -> None:
    rows = make(["first text", "second text"])
    seal_part(tmp_path, replace(rows, reads="chat"))
    assert open_seal(tmp_path, run_id="one", command="test").reads == "chat"


def test_many_pairs_come_back_and_no_plain_copy_stays(tmp_path: Path) -> None:
    texts = [f"text {number} é" for number in range(2500)]
    pairs = [f"pair {number}" for number in range(2500)]
    ids = [content_digits(one, two, None) + "0" * 8 for one, two in zip(texts, pairs, strict=True)]
    groups = [str(number % 7) for number in range(2500)]
    seal_part(tmp_path, Rows(texts, pairs, None, ids, "x", np.arange(2500), "row", groups))
    rows = open_seal(tmp_path, run_id="one", command="test")
    assert (list(rows.texts), list(rows.pairs or ()), rows.labels) == (texts, pairs, None)
    assert (rows.groups, rows.unit, rows.place(2499)) == (groups, "row", "row 2499 of x")
    assert {path.name for path in (tmp_path / "data").iterdir()} == {"seal.json", "sealed.arrow"}


def test_texts_larger_than_the_memory_are_sealed_and_opened(tmp_path: Path) -> None:
    count, text = 400, "a long text " * 20_000
    place = tmp_path / "texts.arrow"
    schema = pa.schema([("text", pa.large_string())])
    with pa.OSFile(str(place), "wb") as file, pa.ipc.new_file(file, schema) as writer:
        for number in range(count):
            writer.write_batch(pa.record_batch([[f"{number} {text}"]], schema=schema))
    texts = Texts(pa.ipc.open_file(pa.memory_map(str(place))).read_all()["text"])
    ids = [content_digits(each, None, None) + "00000000" for each in texts]
    tracemalloc.start()
    seal_part(tmp_path, Rows(texts, None, None, ids, "x", np.arange(count)))
    rows = open_seal(tmp_path, run_id="one", command="test")
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 0.2 * place.stat().st_size
    assert rows.texts[count - 1] == f"{count - 1} {text}"


def test_sealing_again_changes_nothing_and_other_rows_are_refused(run: Path) -> None:
    open_seal(run, run_id="one", command="test")
    seal_part(run, make(["second text", "first text"]))
    assert len(looks(run)) == 1
    with pytest.raises(ChangedError, match="sealed test part"):
        seal_part(run, make(["another text"]))


def test_looks_at_the_same_rows_count_across_runs(run: Path) -> None:
    two = run.parent / "two"
    other = run.parent / "other"
    seal_part(two, make(["second text", "first text"]))
    seal_part(other, make(["something else"]))
    assert looks(run) == []
    open_seal(run, run_id="one", command="tunewright test one")
    open_seal(two, run_id="two", command="tunewright test two")
    open_seal(other, run_id="other", command="tunewright test other")
    assert [look["run"] for look in looks(run)].count("two") == 1
    assert len(looks(run)) == len(looks(two)) == 2
    assert len(looks(other)) == 1
    assert {"date", "run", "command"} <= set(looks(run)[0])


def test_a_look_survives_the_loss_of_either_record(run: Path) -> None:
    open_seal(run, run_id="one", command="test")
    seal = run / "data" / "seal.json"
    content = json.loads(seal.read_text())
    seal.write_text(json.dumps(content | {"looks": []}))
    assert len(looks(run)) == 1
    seal.write_text(json.dumps(content))
    (run.parent / "looks.jsonl").unlink()
    assert len(looks(run)) == 1


def test_a_torn_line_of_the_ledger_is_no_look_and_the_next_look_is_whole(run: Path) -> None:
    ledger = run.parent / "looks.jsonl"
    ledger.write_text('{"id": "a", "ha')
    open_seal(run, run_id="one", command="test")
    content = json.loads((run / "data" / "seal.json").read_text())
    (run / "data" / "seal.json").write_text(json.dumps(content | {"looks": []}))
    assert len(looks(run)) == 1


def test_the_look_is_written_before_the_rows_are_given(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tunewright.data import seal

    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(seal, "append_line", fail)
    with pytest.raises(KeyboardInterrupt):
        open_seal(run, run_id="one", command="test")


@pytest.mark.parametrize("name", ["sealed.arrow", "seal.json"])
def test_a_changed_seal_is_not_opened(run: Path, name: str) -> None:
    place = run / "data" / name
    place.chmod(0o600)
    if name == "seal.json":
        place.write_text(place.read_text().replace('"hash": "', '"hash": "0'))
    else:
        other = run.parent / "other"
        seal_part(other, make(["first text", "second text"], label="b"))
        place.write_bytes((other / "data" / name).read_bytes())
    with pytest.raises(SealError, match="changed"):
        open_seal(run, run_id="one", command="test")
    assert looks(run) == []


def test_texts_changed_under_their_old_ids_are_noticed(run: Path) -> None:
    rows = make(["first text", "second text"])
    forged = Rows(["easy", "easier"], None, rows.labels, rows.ids, "x.csv", rows.numbers)
    other = run.parent / "other"
    seal_part(other, forged)
    with pytest.raises(SealError, match="changed"):
        open_seal(other, run_id="other", command="test")


@pytest.mark.parametrize("damage", [b"", MAGIC, MAGIC + b"nonsense"])
def test_a_damaged_seal_is_an_error_in_two_lines(run: Path, damage: bytes) -> None:
    place = run / "data" / "sealed.arrow"
    place.chmod(0o600)
    place.write_bytes(damage)
    with pytest.raises(SealError) as caught:
        open_seal(run, run_id="one", command="test")
    assert len(str(caught.value).splitlines()) == 2


def test_the_sealed_file_cannot_be_read_as_data(run: Path, tmp_path: Path) -> None:
    place = run / "data" / "sealed.arrow"
    copy = tmp_path / "train.csv"
    copy.write_bytes(place.read_bytes())
    for path in (place, run, run / "data", copy):
        with pytest.raises(SealError, match="sealed test part"):
            read_data(path)
        with pytest.raises(SealError):
            refuse_sealed(path)
    copy.rename(run.parent.parent / "train.jsonl")
    with pytest.raises(SealError):
        read_table(run.parent.parent / "train.jsonl")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "train.csv").write_bytes(place.read_bytes())
    with pytest.raises(SealError):
        read_data(tmp_path / "deep")


def test_no_ordinary_reader_opens_the_sealed_file(run: Path) -> None:
    place = run / "data" / "sealed.arrow"
    for reader in (pa.ipc.open_file, pa.ipc.open_stream):
        with pytest.raises(pa.ArrowException):
            reader(pa.memory_map(str(place)))
    assert b"first text" not in place.read_bytes()
    if os.name != "nt":
        assert stat.S_IMODE(place.stat().st_mode) == 0o400


def test_a_folder_without_a_seal_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SealError, match="no sealed test part"):
        looks(tmp_path)
