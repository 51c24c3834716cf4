import contextlib
import errno
import json
import os
from io import FileIO
from pathlib import Path

import pytest

from tunewright import durable
from tunewright.durable import (
    append_line,
    make_folder,
    read_lines,
    replacing_folder,
    write_bytes,
    write_json,
    write_text,
)
from tunewright.errors import FailedRunError, RunError

REFUSALS = [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EACCES, errno.EROFS]


def refuse(code: int):
    def refusing(*args, **kwargs):
        raise OSError(code, os.strerror(code))

    return refusing


def test_a_written_file_holds_what_was_given_and_leaves_no_temporary_name(tmp_path: Path):
    write_bytes(tmp_path / "a", b"\x00\xff")
    write_text(tmp_path / "b", "é\n")
    write_json(tmp_path / "c", {"é": [1, None]})
    assert (tmp_path / "a").read_bytes() == b"\x00\xff"
    assert (tmp_path / "b").read_bytes() == "é\n".encode()
    assert json.loads((tmp_path / "c").read_text("utf-8")) == {"é": [1, None]}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b", "c"]


@pytest.mark.parametrize("code", REFUSALS)
@pytest.mark.parametrize("function", ["replace", "fsync"])
def test_a_refusing_disk_leaves_the_old_content_and_no_temporary_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str, code: int
):
    write_text(tmp_path / "a", "old")
    monkeypatch.setattr(os, function, refuse(code))
    with pytest.raises(FailedRunError, match="cannot write") as caught:
        write_text(tmp_path / "a", "new")
    assert caught.value.fix
    assert (tmp_path / "a").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_a_full_disk_is_called_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "fsync", refuse(errno.ENOSPC))
    with pytest.raises(FailedRunError, match="the disk is full"):
        write_text(tmp_path / "a", "new")


def test_half_a_line_on_a_full_disk_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def write_half(file: FileIO, data: bytes) -> None:
        file.write(data[: len(data) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    append_line(tmp_path / "e", '{"n": 0}')
    monkeypatch.setattr(durable, "_write_all", write_half)
    with pytest.raises(FailedRunError, match="the disk is full"):
        append_line(tmp_path / "e", '{"n": 1}')
    assert (tmp_path / "e").read_text() == '{"n": 0}\n'


@pytest.mark.parametrize("fails", [False, True])
def test_a_folder_is_the_old_one_or_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: bool
):
    rename, calls = os.rename, []

    def second_fails(*args):
        calls.append(args)
        if fails and len(calls) == 2:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        rename(*args)

    def replace(word: str) -> None:
        with replacing_folder(tmp_path / "model") as staged:
            (staged / "weights").write_text(word)

    replace("old")
    monkeypatch.setattr(os, "rename", second_fails)
    with pytest.raises(FailedRunError) if fails else contextlib.nullcontext():
        replace("new")
    assert (tmp_path / "model" / "weights").read_text() == ("old" if fails else "new")
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


def test_a_file_where_a_folder_should_be_is_said(tmp_path: Path):
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "folder"):
        with pytest.raises(FailedRunError, match="file"):
            make_folder(path)
    assert make_folder(tmp_path / "a" / "b").is_dir()


def test_an_error_that_is_not_the_disks_stays_what_it_is(tmp_path: Path):
    with pytest.raises(FileNotFoundError):
        write_text(tmp_path / "missing" / "a", "x")


def test_nan_is_refused_before_the_file_is_touched(tmp_path: Path):
    write_json(tmp_path / "a", 1)
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a", float("nan"))
    assert (tmp_path / "a").read_text() == "1\n"


def test_an_interrupt_while_writing_leaves_the_old_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def interrupt(*args: object) -> None:
        raise KeyboardInterrupt

    write_text(tmp_path / "a", "old")
    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_text(tmp_path / "a", "new")
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_lines_come_back_in_order(tmp_path: Path):
    for number in range(3):
        append_line(tmp_path / "e", json.dumps({"n": number}))
    assert [line["n"] for line in read_lines(tmp_path / "e")] == [0, 1, 2]


@pytest.mark.parametrize("torn", ['{"n"', '{"n": 9}', "x" * 10_000])
def test_a_torn_last_line_is_left_out_and_cut_off_by_the_next(tmp_path: Path, torn: str):
    path = tmp_path / "e"
    append_line(path, '{"n": 0}')
    with path.open("a") as file:
        file.write(torn)
    assert read_lines(path) == [{"n": 0}]
    append_line(path, '{"n": 1}')
    assert read_lines(path) == [{"n": 0}, {"n": 1}]


def test_a_file_of_one_torn_line_is_empty(tmp_path: Path):
    path = tmp_path / "e"
    path.write_text('{"n"')
    assert read_lines(path) == []
    append_line(path, '{"n": 1}')
    assert read_lines(path) == [{"n": 1}]


def test_a_failed_append_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "e"
    append_line(path, '{"n": 0}')
    monkeypatch.setattr(os, "fsync", refuse(errno.ENOSPC))
    with pytest.raises(FailedRunError, match="the disk is full"):
        append_line(path, '{"n": 1}')
    assert path.read_text() == '{"n": 0}\n'


@pytest.mark.parametrize("line", ["not json", "[1]", '{"n": '])
def test_a_broken_finished_line_is_named(tmp_path: Path, line: str):
    (tmp_path / "e").write_text('{"n": 0}\n' + line + "\n")
    with pytest.raises(RunError, match="line 2"):
        read_lines(tmp_path / "e")


def test_text_of_several_lines_is_no_line(tmp_path: Path):
    with pytest.raises(ValueError, match="newline"):
        append_line(tmp_path / "e", "a\nb")


def test_a_file_system_that_cannot_sync_folders_is_forgiven(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(os, "fsync", refuse(errno.EINVAL))
    durable.fsync_folder(tmp_path)
