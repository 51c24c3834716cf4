"""Names of models: an entry by its name, and what to say of a name that nothing has."""

from __future__ import annotations

import difflib
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from tunewright.errors import ModelError
from tunewright.pretrained.entries import ENTRIES, CatalogEntry

ENTRY_POINTS = "tunewright.models"
LIST_FIX = "see what there is: tunewright models list; a folder needs its path: ./FOLDER"


def find_entry(name: str) -> CatalogEntry | None:
    """The catalog entry of that name; others' entry points are imported only when named."""
    for entry in ENTRIES:
        if entry.name == name:
            return entry
    for point in entry_points(group=ENTRY_POINTS, name=name):
        return _loaded(point)
    return None


def unknown(name: str, because: str, *, fix: str = LIST_FIX) -> ModelError:
    """What to say of a name that nothing has: why, and the near catalog names and folders."""
    names = [entry.name for entry in ENTRIES] + [entry.base for entry in ENTRIES]
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.6) + _near_folders(name)
    hint = f"; near: {', '.join(near)}" if near else ""
    what = f"no model {name!r}: it is no catalog name and no folder here, and {because}{hint}"
    return ModelError(what, fix=fix)


def _near_folders(name: str) -> list[str]:
    path = Path(name).expanduser()
    try:
        folders = [p for p in path.parent.iterdir() if (p / "config.json").is_file()]
    except OSError:
        return []
    near = difflib.get_close_matches(path.name, [p.name for p in folders], n=3, cutoff=0.6)
    return [str(path.parent / found) for found in near]


def _loaded(point: EntryPoint) -> CatalogEntry:
    try:
        entry = point.load()
    except Exception as error:
        raise ModelError(
            f"the entry point {point.value} for model {point.name} cannot be loaded: {error}",
            fix="mend or uninstall the package that adds it",
        ) from error
    if not isinstance(entry, CatalogEntry):
        raise ModelError(
            f"the entry point {point.value} gives {type(entry).__name__}, not a CatalogEntry",
            fix="mend or uninstall the package that adds it",
        )
    return entry
