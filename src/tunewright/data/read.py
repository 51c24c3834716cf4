"""From what the user named (a file, a folder, a data set id) to tables, one for each part."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tunewright.data.arrow_files import read_arrow, read_parquet, read_saved, saved_parts
from tunewright.data.delimited import read_delimited
from tunewright.data.encoding import refuse_binary
from tunewright.data.hub import read_hub
from tunewright.data.json_files import read_json, read_json_lines
from tunewright.data.parts import find_parts, refuse_without_train
from tunewright.data.picture_folders import picture_parts, picture_table
from tunewright.data.seal import refuse_sealed
from tunewright.data.table import Table, Unreadable
from tunewright.errors import DataError

DELIMITED = {".csv", ".tsv", ".tab", ".txt", ".text"}
JSON_LINES = {".jsonl", ".ndjson", ".jsonlines"}
ARROW = {".arrow", ".feather", ".ipc"}
SUFFIXES = DELIMITED | JSON_LINES | ARROW | {".json", ".parquet", ".pq"}
PLAIN = {".txt", ".text"}
SOUND = {".wav", ".mp3", ".flac", ".ogg", ".m4a"}
_KNOWN = "pass a CSV, TSV, TXT, JSON, JSONL, Parquet or Arrow file, or a folder of pictures"
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?")


def read_data(source: str | Path, *, skip: bool = False) -> dict[str, Table]:
    """The tables behind a file, a folder, or a Hugging Face data set id.

    Args:
        source: what the user wrote.
        skip: pass over lines that are no rows; the tables know which.
    Returns:
        {"all": table}, or the given parts under "train", "validation" and "test".
    Raises:
        DataError: missing, unreadable or without rows; with file and line.
        SealError: it is, or holds, the sealed test part of a run.
    """
    path = Path(source).expanduser()
    if str(source).strip() == "":
        raise DataError("the name of the data is empty", fix=_KNOWN)
    try:
        if path.is_dir():
            refuse_sealed(path)
            return _read_folder(path, skip)
        if path.exists():
            return {"all": read_table(path, skip=skip)}
    except PermissionError:
        raise _forbidden(path) from None
    except (OSError, ValueError) as error:
        raise DataError(f"{source!s} cannot be read: {error}", fix="check the path") from None
    near = _near(path)
    meant_here = _looks_like_file(str(source)) or near.startswith("did you mean")
    if meant_here or not _HUB_ID.fullmatch(str(source)):
        raise DataError(f"there is no file or folder {source}", fix=near)
    return read_hub(str(source), near)


def read_table(path: str | Path, *, skip: bool = False) -> Table:
    """The rows of one file, its format told by its first bytes, then by its suffix; or pictures.

    Args:
        path: a file, or a folder with pictures or with class folders of pictures.
        skip: pass over lines that are no rows; the table knows which.
    Raises:
        DataError: missing, unreadable or without rows; with the line.
        SealError: it is the sealed test part of a run.
    """
    path = Path(path)
    refuse_sealed(path)
    try:
        if path.is_dir():
            pictures = picture_table(path)
            if pictures is None:
                raise DataError(f"{path} is a folder, not a file", fix="pass a file inside it")
            return pictures
        if not path.exists():
            raise DataError(f"there is no file {path}", fix=_near(path))
        if not path.is_file():
            raise DataError(f"{path} is a device or pipe, not a file", fix=_KNOWN)
        return _read_by_format(path, skip)
    except PermissionError:
        raise _forbidden(path) from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataError(f"{path} cannot be read: {reason}", fix="check the disk") from None


def _read_by_format(path: Path, skip: bool) -> Table:
    with path.open("rb") as file:
        head = file.read(64)
    suffix = path.suffix.lower()
    if not head:
        raise DataError(f"{path} is empty", fix="pass a file with rows")
    if head.startswith(b"PAR1") or suffix in (".parquet", ".pq"):
        return read_parquet(path)
    if head.startswith(b"ARROW1") or suffix in ARROW:
        return read_arrow(path)
    refuse_binary(path, head)
    if suffix in JSON_LINES:
        return _read_lines(path, read_json_lines, skip)
    if suffix == ".json":
        return read_json(path)
    if suffix in DELIMITED:
        return _read_lines(path, read_delimited, skip)
    kind = f"the unknown suffix {suffix!r}" if suffix else "no suffix"
    raise DataError(f"{path} has {kind}, so its format is not known", fix=_KNOWN)


def _read_lines(path: Path, read: Callable[..., Table], skip: bool) -> Table:
    """The rows of a file; where it cannot be read and `skip` is asked for, those that can be."""
    try:
        return read(path)
    except DataError as error:
        table = _read_some(path, read) if skip else None
        if table is None:
            raise error from None
        return table


def _read_some(path: Path, read: Callable[..., Table]) -> Table | None:
    """The rows that can be read; None where most cannot: then the format is another."""
    unreadable: Unreadable = {}
    try:
        table = read(path, unreadable)
    except DataError:
        return None
    most = len(unreadable) > len(table)
    return None if most else replace(table, unreadable=tuple(sorted(unreadable.items())))


def _read_folder(folder: Path, skip: bool) -> dict[str, Table]:
    saved = saved_parts(folder)
    if saved is not None:
        return _saved(folder, saved)
    files = sorted(
        p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES and p.name[0] not in "._"
    )
    names = [file.name for file in files]
    parts = find_parts(names, str(folder))
    if not parts:
        if all(file.suffix.lower() in PLAIN for file in files):  # a licence beside the pictures
            pictures = picture_parts(folder)
            if pictures is not None:
                return pictures
        if len(files) == 1:
            return {"all": read_table(files[0], skip=skip)}
        raise _no_parts(folder, files)
    refuse_without_train(parts, names, str(folder))
    return {part: read_table(folder / name, skip=skip) for part, name in parts.items()}


def _saved(folder: Path, saved: dict[str, Path]) -> dict[str, Table]:
    if set(saved) == {"all"}:
        return {"all": read_saved(saved["all"])}
    parts = find_parts(saved, str(folder))
    refuse_without_train(parts, saved, str(folder))
    return {part: read_saved(saved[name]) for part, name in parts.items()}


def _no_parts(folder: Path, files: list[Path]) -> DataError:
    if files:
        names = ", ".join(file.name for file in files[:5])
        return DataError(
            f"{folder} has several data files, and none is named train (found: {names})",
            fix="pass one file, or name them train, validation and test",
        )
    sound = next((p for p in folder.rglob("*") if p.suffix.lower() in SOUND), None)
    if sound is not None:
        return DataError(
            f"{folder} holds sound ({sound.name}), which no task here reads", fix=_KNOWN
        )
    found = ", ".join(sorted(p.name for p in folder.iterdir())[:5]) or "nothing"
    return DataError(f"{folder} has no data file (found: {found})", fix=_KNOWN)


def _forbidden(path: Path) -> DataError:
    return DataError(f"{path} may not be read by you", fix=f"chmod u+r {path}")


def _looks_like_file(source: str) -> bool:
    suffix = Path(source).suffix.lower()
    known = suffix in SUFFIXES or suffix in {".xlsx", ".xls", ".gz", ".zip", ".pkl", ".yaml"}
    return (
        known
        or source.startswith(("/", ".", "~"))
        or (
            os.sep in source.rstrip(os.sep)[1:]
            and (source.count("/") > 1 or Path(source).parent.is_dir())
        )
    )


def _near(path: Path) -> str:
    """The next move when a path is missing: the names beside it that look alike."""
    try:
        names = sorted(p.name for p in path.parent.iterdir() if p.name != path.name)
    except OSError:
        return f"check the name and the connection; there is no folder {path.parent} either"
    near = difflib.get_close_matches(path.name, names, n=3, cutoff=0.6)
    return f"did you mean {' or '.join(near)}?" if near else "check the name and its spelling"
