"""What models there are, and all that is known about one."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from tunewright.errors import ModelError
from tunewright.pretrained.entries import ENTRIES, CatalogEntry, HubSource
from tunewright.pretrained.folder import check_folder, read_licence, weights_sha256
from tunewright.pretrained.gguf_files import SUFFIX, gguf_folder
from tunewright.pretrained.hub import cached_on_hub, is_hub_id
from tunewright.pretrained.keras_presets import made_of
from tunewright.pretrained.named import ENTRY_POINTS, SOURCES, find_entry, unknown
from tunewright.pretrained.package import is_cached, package_folder

_FACTS = (
    "model_type",
    "num_hidden_layers",
    "hidden_size",
    "vocab_size",
    "max_position_embeddings",
)


def list_models() -> list[dict[str, Any]]:
    """What can be named: the catalog, and what installed packages add (not imported)."""
    added = [
        {"name": f"{point.name}{rest}", "where": f"entry point {point.value}"}
        for group, rest in ((ENTRY_POINTS, ""), (SOURCES, "://…"))
        for point in entry_points(group=group)
    ]
    empty: dict[str, Any] = {
        "base": None,
        "tasks": [],
        "parameters": None,
        "licence": None,
        "languages": None,
        "backends": [],
        "cached": None,
    }
    return [_row(entry) for entry in ENTRIES] + [{**empty, "note": "", **row} for row in added]


def show_model(name: str) -> dict[str, Any]:
    """All that is known about a model without fetching it: a list row, and what is on the disk.

    `intact` is None when it is not on this machine; `path` and `files` then say so too.
    Raises:
        ModelError: no such catalog name, folder or cached hub model.
    """
    entry = find_entry(name)
    row, path = (_row(entry), _cached_path(entry)) if entry else _outside_catalog(name)
    row |= {"path": None, "files": [], "config": {}, "sha256": None, "intact": None}
    if path is None:
        return row
    row |= {"path": str(path), "files": _files(path), "intact": False}
    try:
        folder = check_folder(made_of(path))
    except ModelError as error:
        return row | {"problem": {"what": error.what, "fix": error.fix}}
    whole = entry is None or isinstance(entry.source, HubSource) or is_cached(entry, deep=True)
    config = {key: folder.config[key] for key in _FACTS if key in folder.config}
    return row | {"config": config, "sha256": weights_sha256(folder.weights), "intact": whole}


def path_here(name: str) -> Path | None:
    """The folder of a catalog name, a folder or a hub id, where it is on this machine."""
    entry = find_entry(name)
    if entry is not None:
        return _cached_path(entry)
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder
    return cached_on_hub(name, None) if is_hub_id(name) else None


def _row(entry: CatalogEntry) -> dict[str, Any]:
    is_hub = isinstance(entry.source, HubSource)
    return {
        "name": entry.name,
        "base": entry.base,
        "tasks": list(entry.tasks),
        "parameters": entry.parameters,
        "licence": entry.licence,
        "languages": entry.languages,
        "backends": list(entry.backends),
        "where": "hub" if is_hub else "package",
        "cached": _cached_path(entry) is not None if is_hub else is_cached(entry),
        "note": entry.note,
    }


def _cached_path(entry: CatalogEntry) -> Path | None:
    if isinstance(entry.source, HubSource):
        return cached_on_hub(entry.source.repo, entry.source.revision)
    path = package_folder(entry)
    return path if path.is_dir() else None


def _outside_catalog(name: str) -> tuple[dict[str, Any], Path | None]:
    folder = Path(name).expanduser()
    empty: dict[str, Any] = {"tasks": [], "parameters": None, "note": "", "licence": None}
    row = {"name": name, "base": name, **empty}
    if folder.suffix == SUFFIX and folder.is_file():
        made = gguf_folder(folder)
        row |= {"where": "file", "cached": made.is_dir(), "licence": read_licence(made)}
        return row, made if made.is_dir() else None
    found = folder if name and folder.is_dir() else None
    where = "folder" if found else "hub"
    if found is None and is_hub_id(name):
        found = cached_on_hub(name, None)
    if found is None:
        raise unknown(name, "it is not in the hub's cache")
    return row | {"licence": read_licence(found), "where": where, "cached": True}, found


def _files(path: Path) -> list[dict[str, Any]]:
    files = sorted(file for file in path.rglob("*") if file.is_file())
    return [{"name": str(f.relative_to(path)), "bytes": f.stat().st_size} for f in files]
