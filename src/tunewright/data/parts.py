"""The parts of the data: their names, and what files and splits call them."""

from __future__ import annotations

from collections.abc import Iterable

from tunewright.errors import DataError

PARTS = ("train", "validation", "test")
_PART_OF = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
}


def find_parts(names: Iterable[str], source: str) -> dict[str, str]:
    """Part → the name that holds it, in the order of PARTS; names of no part are passed over.

    Args:
        names: of files (what is before the first dot counts) or of splits.
        source: what the names are in, for errors.
    Raises:
        DataError: two names for one part.

    >>> find_parts(["unsupervised", "Dev.csv", "train.csv"], "tickets")
    {'train': 'train.csv', 'validation': 'Dev.csv'}
    """
    found: dict[str, str] = {}
    for name in names:
        part = _PART_OF.get(name.split(".")[0].lower())
        if part is not None and part in found:
            raise DataError(
                f"{source} has two parts for {part}: {found[part]} and {name}",
                fix="keep one of them, or pass a file",
            )
        if part is not None:
            found[part] = name
    return {part: found[part] for part in PARTS if part in found}


def refuse_without_train(parts: Iterable[str], names: Iterable[str], source: str) -> None:
    """Raise DataError when there is no training part among them; `names` are what is there."""
    if "train" not in parts:
        raise DataError(
            f"{source} has no training part (found: {', '.join(names) or 'nothing'})",
            fix="name one of them train, or pass a file",
        )
