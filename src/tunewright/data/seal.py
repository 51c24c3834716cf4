"""The sealed test part: nobody reads it by accident, and every look is written down."""

from __future__ import annotations

import gzip
import hashlib
import json
import mmap
import tempfile
import uuid
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, cast

import pyarrow as pa
from filelock import FileLock

from tunewright.data.pictures import content_hashes
from tunewright.data.rows import CONTENT_DIGITS, Rows, Texts, content_digits, in_chunks
from tunewright.durable import append_line, disk_errors, make_folder, replacing, write_json
from tunewright.errors import ChangedError, SealError
from tunewright.recipe.schema import Reads

MAGIC = b"TUNEWRIGHT-SEAL-2\n"
SEAL, SEALED, LEDGER = "seal.json", "sealed.arrow", "looks.jsonl"
BESIDE = "beside: "  # before the names of columns that are kept with the rows
_OPEN_IT = "open it with `tunewright test RUN`, which writes the look down"
Look = dict[str, Any]


@dataclass(frozen=True)
class Seal:
    """A closed test part.

    Args:
        hash: sha256 over the sorted row ids; the same rows have the same hash in every run.
        rows: how many.
        path: the seal.json.
    """

    hash: str
    rows: int
    path: Path


def seal_part(run_folder: Path, rows: Rows) -> Seal:
    """Write the test part under a seal; sealing the same rows again changes nothing.

    Raises:
        ChangedError: the run already has another test part.
        FailedRunError: the disk refused.
    """
    run_folder = Path(run_folder)
    place = run_folder / "data" / SEAL
    seal = Seal(_hash(rows.ids), len(rows), place)
    if place.exists():
        found = read_seal(run_folder)
        if found["hash"] != seal.hash:
            name = "data (the rows of its sealed test part)"
            raise ChangedError(name, found["hash"][:12], seal.hash[:12], run_folder)
        if (place.parent / SEALED).exists():
            return seal
    make_folder(place.parent)
    with replacing(place.parent / SEALED) as file:
        _write_sealed(rows, file)
    (place.parent / SEALED).chmod(0o400)
    if not place.exists():
        content = {"schema_version": 1, "hash": seal.hash, "rows": seal.rows, "looks": []}
        write_json(place, content)
    return seal


def open_seal(run_folder: Path, *, run_id: str, command: str) -> Rows:
    """The sealed rows, after this look has been written down durably.

    Args:
        run_id, command: who looks, and how; kept in the seal and in the runs' ledger.
    Raises:
        SealError: there is no seal, or its content was changed.
        FailedRunError: the look cannot be written down; the seal stays closed.
    """
    run_folder = Path(run_folder)
    seal = read_seal(run_folder)
    rows = _unseal(run_folder, seal)
    look = {
        "id": uuid.uuid4().hex,
        "hash": seal["hash"],
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "run": run_id,
        "command": command,
    }
    ledger = run_folder.absolute().parent / LEDGER
    with disk_errors(ledger), FileLock(f"{ledger}.lock"):
        append_line(ledger, json.dumps(look, ensure_ascii=False))
        again = read_seal(run_folder)
        write_json(run_folder / "data" / SEAL, again | {"looks": [*again["looks"], look]})
    return rows


def refuse_unfit_sealed(run_folder: Path, check: Callable[[Rows], object]) -> None:
    """Let a check raise for sealed rows that could not be judged later; it is no look.

    Args:
        check: nothing of what it makes of the rows is kept.
    Raises:
        SealError: as `open_seal`; and what the check raises.
    """
    check(_unseal(Path(run_folder), read_seal(Path(run_folder))))


def looks(run_folder: Path) -> list[Look]:
    """Every look at the rows that this run seals, by any run in the folder, oldest first."""
    run_folder = Path(run_folder)
    seal = read_seal(run_folder)
    ledger = _read_ledger(run_folder.absolute().parent / LEDGER)
    found = {look["id"]: look for look in (*seal["looks"], *ledger) if look["hash"] == seal["hash"]}
    return sorted(found.values(), key=lambda look: (str(look.get("date")), look["id"]))


def refuse_sealed(path: str | Path) -> None:
    """Raise SealError when the path is a sealed file, under any name, or a folder with one."""
    path = Path(path)
    try:
        if path.is_dir():
            inside = (path / SEALED, path / "data" / SEALED)
            sealed = next((place for place in inside if place.exists()), None)
        else:
            sealed = path if path.is_file() and _has_magic(path) else None
    except OSError:
        return
    if sealed is not None:
        raise SealError(
            f"{sealed} is the sealed test part of a run, not data to read", fix=_OPEN_IT
        )


def _has_magic(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def _hash(ids: list[str]) -> str:
    return hashlib.sha256("\n".join(sorted(ids)).encode()).hexdigest()


def _write_sealed(rows: Rows, file: BinaryIO) -> None:
    """The rows, compressed, a few at a time: they may be larger than the memory."""
    fields = [("id", pa.string()), ("text", pa.large_string()), ("number", pa.int64())]
    known = (("pair", rows.pairs), ("label", rows.labels), ("group", rows.groups))
    for name, values in (*known, ("time", rows.times)):
        if values is not None:
            fields.append((name, pa.large_string()))
    fields += [(f"{BESIDE}{name}", pa.large_string()) for name in rows.columns]
    about = {"source": rows.source, "unit": rows.unit}
    if rows.reads != "text":
        about["reads"] = rows.reads
    schema = pa.schema(fields, metadata=about)
    file.write(MAGIC)
    with (
        gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed,
        pa.ipc.new_stream(packed, schema) as writer,
    ):
        for columns in _in_columns(rows):
            batch = [pa.array(columns[name], kind) for name, kind in fields]
            writer.write_batch(pa.record_batch(batch, schema=schema))


def _in_columns(rows: Rows) -> Iterator[dict[str, Any]]:
    first = 0
    for texts, pairs in in_chunks(rows.texts, rows.pairs):
        part = slice(first, first + len(texts))
        yield {
            "id": rows.ids[part],
            "text": texts,
            "number": rows.numbers[part],
            "pair": pairs,
            "label": rows.labels and rows.labels[part],
            "group": rows.groups and rows.groups[part],
            "time": rows.times and [json.dumps(time) for time in rows.times[part]],
            **{f"{BESIDE}{name}": each[part] for name, each in rows.columns.items()},
        }
        first = part.stop


def _unseal(run_folder: Path, seal: dict[str, Any]) -> Rows:
    """The sealed rows, proven to be those that were sealed."""
    place = run_folder / "data" / SEALED
    try:
        with place.open("rb") as file:
            rows = _read_sealed(file, place)
    except OSError as error:
        raise SealError(
            f"{place} cannot be read: {error.strerror}", fix="restore it, or start a new run"
        ) from None
    if rows is not None and rows.reads == "image" and _hash(rows.ids) == seal["hash"]:
        _refuse_changed_pictures(rows)
        return rows
    if rows is None or _hash(rows.ids) != seal["hash"] or not _ids_match(rows):
        raise SealError(
            f"{place} is not what was sealed: its content was changed or damaged",
            fix="start a new run; a changed test part proves nothing",
        )
    return rows


def _read_sealed(file: BinaryIO, place: Path) -> Rows | None:
    """What `_write_sealed` wrote, or None where that was changed."""
    if file.read(len(MAGIC)) != MAGIC:
        return None
    try:
        with gzip.GzipFile(fileobj=file) as packed, pa.ipc.open_stream(packed) as reader:
            return _from_table(_unpacked(reader, place))
    except (EOFError, zlib.error, pa.ArrowException, KeyError, ValueError):
        return None
    except OSError as error:  # without a number it is of gzip or Arrow, not of the disk
        if error.errno is not None:
            raise
        return None


def _unpacked(reader: Any, place: Path) -> pa.Table:
    """The table in a file without a name beside the sealed one, memory-mapped."""
    with disk_errors(place), tempfile.TemporaryFile(dir=place.parent) as plain:
        with pa.ipc.new_file(plain, reader.schema) as writer:
            for batch in reader:
                writer.write_batch(batch)
        plain.flush()
        content = mmap.mmap(plain.fileno(), 0, access=mmap.ACCESS_READ)
    return pa.ipc.open_file(pa.py_buffer(content)).read_all()


def _from_table(table: pa.Table) -> Rows:
    def held(name: str) -> list[Any] | None:
        return table[name].to_pylist() if name in table.column_names else None

    metadata, times = table.schema.metadata or {}, held("time")
    return Rows(
        texts=Texts(table["text"]),
        pairs=Texts(table["pair"]) if "pair" in table.column_names else None,
        labels=held("label"),
        ids=table["id"].to_pylist(),
        source=metadata[b"source"].decode(),
        numbers=table["number"].to_numpy(),
        unit=metadata[b"unit"].decode(),
        groups=held("group"),
        times=None if times is None else [json.loads(time) for time in times],
        reads=cast(Reads, metadata.get(b"reads", b"text").decode()),
        columns={
            name.removeprefix(BESIDE): table[name].to_pylist()
            for name in table.column_names
            if name.startswith(BESIDE)
        },
    )


def _ids_match(rows: Rows) -> bool:
    return all(_is_content(rows, index, text) for index, text in enumerate(rows.texts))


def _is_content(rows: Rows, index: int, text: str) -> bool:
    """Whether the id of this row is that of this text, or of a picture with this hash."""
    pair = None if rows.pairs is None else rows.pairs[index]
    label = None if rows.labels is None else rows.labels[index]
    return rows.ids[index][:CONTENT_DIGITS] == content_digits(text, pair, label)


def _refuse_changed_pictures(rows: Rows) -> None:
    """The rows hold paths: what is behind each must be what was sealed.

    Raises:
        SealError: a picture is not, or is gone; the first is named.
    """
    for index, found in enumerate(content_hashes(rows.texts)):
        if found is None or not _is_content(rows, index, found):
            what = "cannot be read any more" if found is None else "is not what was sealed"
            raise SealError(
                f"the picture {rows.texts[index]} of the sealed test part {what}",
                fix="restore it, or start a new run; a changed test part proves nothing",
            )


def read_seal(run_folder: Path) -> dict[str, Any]:
    place = run_folder / "data" / SEAL
    try:
        content = json.loads(place.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SealError(
            f"{run_folder} has no sealed test part ({place} is missing)",
            fix="pass a run that got as far as its data, or start a new one",
        ) from None
    except (OSError, ValueError) as error:
        raise SealError(f"{place} cannot be read: {error}", fix="start a new run") from None
    whole = isinstance(content, dict) and isinstance(content.get("hash"), str)
    if not whole or not all(_is_look(look) for look in content.get("looks", [None])):
        raise SealError(f"{place} is not a seal: it was changed", fix="start a new run")
    return dict(content)


def _is_look(look: Any) -> bool:
    return isinstance(look, dict) and isinstance(look.get("id"), str) and "hash" in look


def _read_ledger(ledger: Path) -> list[Look]:
    try:
        lines = ledger.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise SealError(f"{ledger} cannot be read: {error}", fix="make it readable") from None
    found = []
    for line in lines:
        try:
            look = json.loads(line)
        except ValueError:
            continue  # torn by a crash: its rows were never handed out
        if _is_look(look):
            found.append(look)
    return found
