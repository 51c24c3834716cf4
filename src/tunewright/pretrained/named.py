"""Names of models: an entry by its name, and what to say of a name that nothing has."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from tunewright.errors import ModelError, TunewrightError
from tunewright.pretrained.entries import ENTRIES, CatalogEntry

ENTRY_POINTS = "tunewright.models"
SOURCES = "tunewright.sources"
Source = Callable[[str, str | None], Path]
"""From an address and a revision to a model folder on this machine."""
_MEND = "mend or uninstall the package that adds it"
LIST_FIX = "see what there is: tunewright models list; a folder needs its path: ./FOLDER"


def find_entry(name: str) -> CatalogEntry | None:
    """The catalog entry of that name; others' entry points are imported only when named."""
    for entry in ENTRIES:
        if entry.name == name:
            return entry
    for point in entry_points(group=ENTRY_POINTS, name=name):
        entry = _loaded(point)
        if not isinstance(entry, CatalogEntry):
            raise _refused(point, entry, "a CatalogEntry")
        return entry
    return None


def find_source(name: str) -> Source | None:
    """What a package adds for addresses that begin like this one, imported only now.

    >>> find_source("./a-folder") is None
    True
    """
    scheme, mark, _ = name.partition("://")
    for point in entry_points(group=SOURCES, name=scheme) if mark else ():
        fetch = _loaded(point)
        if not callable(fetch):
            raise _refused(point, fetch, "a function")
        return _checked(point, fetch)
    return None


def _checked(point: EntryPoint, fetch: Any) -> Source:
    """The source, held to giving a folder and to errors of two lines."""

    def checked(address: str, revision: str | None) -> Path:
        try:
            folder = Path(fetch(address, revision))
        except TunewrightError:
            raise
        except Exception as error:
            said = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise ModelError(
                f"{address} could not be fetched by {point.value}: {said}",
                fix="look up what that package asks for, or give a model folder",
            ) from error
        return folder

    return checked


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


def _loaded(point: EntryPoint) -> Any:
    try:
        return point.load()
    except Exception as error:
        raise ModelError(
            f"the entry point {point.value} for {point.name} cannot be loaded: {error}",
            fix=_MEND,
        ) from error


def _refused(point: EntryPoint, found: object, wanted: str) -> ModelError:
    return ModelError(
        f"the entry point {point.value} gives {type(found).__name__}, not {wanted}", fix=_MEND
    )
