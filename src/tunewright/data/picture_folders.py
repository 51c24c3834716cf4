"""Pictures in a folder, or in folders named after their classes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa

from tunewright.data.parts import find_parts, refuse_without_train
from tunewright.data.pictures import SUFFIXES, is_picture_name
from tunewright.data.table import Table
from tunewright.errors import DataError

IMAGE, LABEL = "image", "label"
OTHER_PICTURES = {".tif", ".tiff", ".heic", ".heif", ".avif", ".svg", ".psd", ".jp2"}
_LAYOUT = "put the pictures of each class into a folder named after the class"


def picture_parts(folder: Path) -> dict[str, Table] | None:
    """The parts of a folder of class folders, maybe under train, validation and test.

    Returns:
        {"all": table}, or tables by part; None where there are no pictures in any folder.
    Raises:
        DataError: pictures that have no class, or a class without pictures.
    """
    folders = _folders(folder)
    parts = find_parts([inner.name for inner in folders], str(folder))
    if parts and _has_pictures(
        inner for name in parts.values() for inner in _folders(folder / name)
    ):
        refuse_without_train(parts, [inner.name for inner in folders], str(folder))
        for inner in folders:
            if inner.name not in parts.values() and _has_pictures([inner, *_folders(inner)]):
                raise DataError(
                    f"{folder} has the folder {inner.name} of pictures beside its parts "
                    f"{', '.join(parts.values())}",
                    fix=f"move {inner.name} elsewhere, or into one of the parts",
                )
        return {part: _classes(folder / name) for part, name in parts.items()}
    if _has_pictures(folders):
        return {"all": _classes(folder)}
    if _pictures(folder):
        raise DataError(
            f"{folder} has pictures without a class: {_pictures(folder)[0].name} lies directly in it",
            fix=f"{_LAYOUT}; or pass a CSV of paths and labels",
        )
    return None


def picture_table(path: Path) -> Table | None:
    """One picture, a folder of pictures, or a folder of class folders; None where it is none.

    The table has labels only where there are class folders.
    """
    if path.is_file():
        return _table([path], None, str(path.parent)) if is_picture_name(path) else None
    if _has_pictures(_folders(path)):
        return _classes(path)
    files = _pictures(path)
    return _table(files, None, str(path)) if files else None


def _classes(folder: Path) -> Table:
    loose = _pictures(folder)
    if loose:
        raise DataError(
            f"{folder} has pictures beside its class folders: {loose[0].name}", fix=_LAYOUT
        )
    files: list[Path] = []
    labels: list[str] = []
    for inner in _folders(folder):
        found = _pictures(inner)
        below = next((deep for deep in _folders(inner)), None)
        if below is not None:
            raise DataError(
                f"the class folder {inner} has a folder in it: {below.name}",
                fix="put pictures directly into the class folder",
            )
        if not found:
            raise DataError(
                f"the class folder {inner} has no pictures ({', '.join(sorted(SUFFIXES))})",
                fix="add pictures, or remove the folder",
            )
        files += found
        labels += [inner.name] * len(found)
    if not files:
        raise DataError(f"{folder} has no class folders with pictures", fix=_LAYOUT)
    return _table(files, labels, str(folder))


def _table(files: list[Path], labels: list[str] | None, source: str) -> Table:
    """Paths are whole, so that they hold in any working folder."""
    columns = {IMAGE: pa.array([str(file.absolute()) for file in files], pa.large_string())}
    if labels is not None:
        columns[LABEL] = pa.array(labels, pa.large_string())
    return Table(tuple(columns), pa.table(columns), source, of_pictures=True)


def _folders(folder: Path) -> list[Path]:
    """The folders in a folder, by name; what is hidden, or put there by an archiver, aside."""
    return sorted(
        inner
        for inner in folder.iterdir()
        if inner.is_dir() and not inner.name.startswith(".") and inner.name != "__MACOSX"
    )


def _pictures(folder: Path) -> list[Path]:
    """The pictures in a folder, by name.

    Raises:
        DataError: a picture of a kind that is not read.
    """
    files = [inner for inner in folder.iterdir() if inner.name[0] != "." and inner.is_file()]
    strange = next((file for file in files if file.suffix.lower() in OTHER_PICTURES), None)
    if strange is not None:
        raise DataError(
            f"{strange} is a picture of a kind that is not read", fix="save it as JPEG or PNG"
        )
    return sorted(file for file in files if is_picture_name(file))


def _has_pictures(folders: Iterable[Path]) -> bool:
    return any(
        is_picture_name(file) and file.is_file() for inner in folders for file in inner.iterdir()
    )
