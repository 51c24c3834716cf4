"""Writes that survive: a reader sees the old content or the new, never a half.

The order is always the same: a temporary name beside the target, its bytes on the disk,
one rename, then the folder's entry on the disk.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import Any, BinaryIO

from tunewright.errors import FailedRunError, RunError

_SPACE_FIX = (
    "free some space, or move the folder to a larger disk "
    "(TUNEWRIGHT_RUNS moves the runs, TUNEWRIGHT_CACHE the cache)"
)
_RIGHTS_FIX = (
    "give yourself the right to write there, or choose another folder "
    "(TUNEWRIGHT_RUNS moves the runs, TUNEWRIGHT_CACHE the cache)"
)
_REASONS = {
    errno.ENOSPC: ("the disk is full", _SPACE_FIX),
    errno.EDQUOT: ("the disk quota is used up", _SPACE_FIX),
    errno.EIO: ("the disk reports an input/output error", "check the disk; then try again"),
    errno.EACCES: ("writing there is not allowed", _RIGHTS_FIX),
    errno.EPERM: ("writing there is not allowed", _RIGHTS_FIX),
    errno.ENOTDIR: ("a part of that path is a file, not a folder", _RIGHTS_FIX),
    errno.EEXIST: ("there is a file of that name", _RIGHTS_FIX),
    errno.ENOLCK: ("that file system has no locks", _RIGHTS_FIX),
    errno.EROFS: ("the disk is mounted read-only", _RIGHTS_FIX),
}
_NO_FOLDER_SYNC = (errno.EINVAL, errno.ENOTSUP)  # some network file systems


@contextmanager
def disk_errors(path: Path | str) -> Iterator[None]:
    """Turn what a disk can refuse into a user error that names the file.

    Raises:
        FailedRunError: the disk is full, read-only, broken or not ours to write to.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _REASONS:
            raise
        reason, fix = _REASONS[error.errno]
        raise FailedRunError(f"cannot write {path}: {reason}", fix=fix) from error


@contextmanager
def replacing(path: Path | str) -> Iterator[BinaryIO]:
    """A new file, which takes the place of `path` in one step when the block ends well.

    Its folder must exist.

    Raises:
        FailedRunError: the disk refused; the old content stays and no temporary file is left.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    with disk_errors(path):
        try:
            with temporary.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        fsync_folder(path.parent)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """An empty folder, which takes the place of `path` when the block ends well.

    Raises:
        FailedRunError: the disk refused; the old folder stays and no temporary one is left.
    """
    staged, before = (path.with_name(f".{path.name}.{kind}") for kind in ("tmp", "before"))
    shutil.rmtree(staged, ignore_errors=True)
    with disk_errors(path):
        try:
            staged.mkdir()
            yield staged
            sync_files(staged)
            if path.exists():
                shutil.rmtree(before, ignore_errors=True)
                os.rename(path, before)
            os.rename(staged, path)
        except BaseException:
            if before.exists() and not path.exists():
                os.rename(before, path)
            shutil.rmtree(staged, ignore_errors=True)
            raise
        fsync_folder(path.parent)
    shutil.rmtree(before, ignore_errors=True)


def write_bytes(path: Path | str, data: bytes) -> None:
    """Replace a file's content in one step; its folder must exist.

    Raises:
        FailedRunError: the disk refused; the old content stays.
    """
    with replacing(path) as file:
        file.write(data)


def write_text(path: Path | str, text: str) -> None:
    """Replace a text file's content (UTF-8, line ends as given) in one step."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path | str, value: Any) -> None:
    """Replace a JSON file's content in one step.

    Raises:
        ValueError: the value holds NaN or an infinity, which JSON has no word for.
    """
    write_text(path, as_json(value))


def as_json(value: Any) -> str:
    """The text that `write_json` writes."""
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def append_line(path: Path | str, text: str) -> None:
    """Add one line; it exists once its newline is on the disk.

    A line that a crash left without its newline was never written: it is cut off first.

    Raises:
        FailedRunError: the disk refused; the file is as it was.
        ValueError: the text spans several lines.
    """
    if "\n" in text:
        raise ValueError("a line holds no newline")
    path = Path(path)
    with disk_errors(path):
        is_new = not path.exists()
        with path.open("ab+", buffering=0) as file:
            size = _whole_lines_size(file)
            try:
                file.truncate(size)
                _write_all(file, text.encode("utf-8") + b"\n")
                os.fsync(file.fileno())
            except OSError:
                file.truncate(size)
                raise
        if is_new:
            fsync_folder(path.parent)


def read_lines(path: Path | str) -> list[dict[str, Any]]:
    """Read a JSONL file that may end in a torn line, which is left out.

    Raises:
        RunError: a finished line is not a JSON object; the line is named.
    """
    lines = Path(path).read_bytes().split(b"\n")[:-1]
    return [_parsed(line, path, number) for number, line in enumerate(lines, start=1) if line]


def file_sha256(path: Path | str) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fsync_folder(path: Path | str) -> None:
    """Put a folder's entries (new, renamed and removed names) on the disk."""
    if os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise
    finally:
        os.close(descriptor)


def sync_files(folder: Path | str) -> None:
    """Put the files of a folder and of those within, and then their entries, on the disk."""
    for path in sorted(Path(folder).rglob("*")):
        if path.is_dir():
            fsync_folder(path)
        else:
            with path.open("rb") as file:
                os.fsync(file.fileno())
    fsync_folder(folder)


def make_folder(path: Path | str) -> Path:
    """Make a folder and its parents if they are missing, and return it."""
    path = Path(path)
    with disk_errors(path):
        missing = [each for each in (path, *path.parents) if not each.exists()]
        path.mkdir(parents=True, exist_ok=True)
        for made in missing:
            fsync_folder(made.parent)
    return path


def free_room(folder: Path) -> int:
    """Bytes free on the disk of a folder, or of the nearest parent that is there."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def refuse_without_room(folder: Path, num_bytes: int, what: str) -> None:
    """Raise FailedRunError when the disk of a folder has no room for so many bytes."""
    free = free_room(folder)
    if free < num_bytes:
        raise FailedRunError(
            f"no room for {what}: {_in_mib(num_bytes)} are needed and {_in_mib(free)} are free "
            f"on the disk of {folder}",
            fix=_SPACE_FIX,
        )


def _in_mib(num_bytes: int) -> str:
    return f"{num_bytes / (1 << 20):,.1f} MiB"


def _parsed(line: bytes, path: Path | str, number: int) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise RunError(
            f"line {number} of {path} is not a JSON object",
            fix="the file was changed from outside; take that line out, or restore a copy",
        )
    return value


def _write_all(file: FileIO, data: bytes) -> None:
    while data:
        data = data[file.write(data) :]


def _whole_lines_size(file: FileIO) -> int:
    """Bytes up to and with the last newline."""
    end = file.seek(0, os.SEEK_END)
    while end > 0:
        start = file.seek(max(0, end - 4096))
        found = file.read(end - start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0
