"""The sealed test part: nobody reads it by accident, and every look is written down."""

from __future__ import annotations

import hashlib
import io
import json
import uuid
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from filelock import FileLock

from tunewright.data.rows import CONTENT_DIGITS, Rows, content_digits
from tunewright.durable import append_line, disk_errors, make_folder, write_bytes, write_json
from tunewright.errors import ChangedError, SealError

MAGIC = b"TUNEWRIGHT-SEAL-1\n"
SEAL, SEALED, LEDGER = "seal.json", "sealed.arrow", "looks.jsonl"
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
    write_bytes(place.parent / SEALED, MAGIC + zlib.compress(_as_stream(rows)))
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


def _as_stream(rows: Rows) -> bytes:
    columns: dict[str, pa.Array] = {
        "id": pa.array(rows.ids, pa.string()),
        "text": pa.array(list(rows.texts), pa.large_string()),
        "number": pa.array(rows.numbers, pa.int64()),
    }
    if rows.pairs is not None:
        columns["pair"] = pa.array(list(rows.pairs), pa.large_string())
    if rows.labels is not None:
        columns["label"] = pa.array(rows.labels, pa.large_string())
    if rows.groups is not None:
        columns["group"] = pa.array(rows.groups, pa.large_string())
    if rows.times is not None:
        columns["time"] = pa.array([json.dumps(time) for time in rows.times], pa.large_string())
    table = pa.table(columns).replace_schema_metadata({"source": rows.source, "unit": rows.unit})
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def _unseal(run_folder: Path, seal: dict[str, Any]) -> Rows:
    """The sealed rows, proven to be those that were sealed."""
    place = run_folder / "data" / SEALED
    broken = SealError(
        f"{place} is not what was sealed: its content was changed or damaged",
        fix="start a new run; a changed test part proves nothing",
    )
    try:
        content = place.read_bytes()
    except OSError as error:
        raise SealError(
            f"{place} cannot be read: {error.strerror}", fix="restore it, or start a new run"
        ) from None
    if not content.startswith(MAGIC):
        raise broken
    try:
        table = pa.ipc.open_stream(zlib.decompress(content[len(MAGIC) :])).read_all()
        rows = _from_stream(table)
    except (zlib.error, pa.ArrowException, OSError, KeyError, ValueError):
        raise broken from None
    if _hash(rows.ids) != seal["hash"] or not _ids_match(rows):
        raise broken
    return rows


def _from_stream(table: pa.Table) -> Rows:
    held = {name: table[name].to_pylist() for name in table.column_names}
    metadata = table.schema.metadata or {}
    return Rows(
        texts=held["text"],
        pairs=held.get("pair"),
        labels=held.get("label"),
        ids=held["id"],
        source=metadata[b"source"].decode(),
        numbers=np.asarray(held["number"], dtype=np.int64),
        unit=metadata[b"unit"].decode(),
        groups=held.get("group"),
        times=[json.loads(time) for time in held["time"]] if "time" in held else None,
    )


def _ids_match(rows: Rows) -> bool:
    return all(
        row_id[:CONTENT_DIGITS]
        == content_digits(
            text,
            None if rows.pairs is None else rows.pairs[index],
            None if rows.labels is None else rows.labels[index],
        )
        for index, (row_id, text) in enumerate(zip(rows.ids, rows.texts, strict=True))
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
