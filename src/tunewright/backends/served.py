"""A model folder without weights: it names a model that a service keeps."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from tunewright.durable import make_folder, write_json
from tunewright.errors import ModelError
from tunewright.history.folder import runs_folder
from tunewright.recipe.service import Preset

FILE = "service.json"
INSTALL = "pip install 'tunewright[openai]'"
NO_LABEL = "(none of the labels)"
"""The class of answers that are no label."""


@dataclass(frozen=True)
class Served:
    """Where a model is, and how it is asked.

    Args:
        model: its name there. key: the environment variable with the key, None for none.
        task: what it was trained for.
        instruction, labels: of text classification: what it is told, and what it may answer.
    """

    model: str
    base_url: str
    key: str | None
    preset: Preset
    task: str
    parallel: int = 4
    instruction: str | None = None
    labels: tuple[str, ...] = ()


def write_served(folder: Path, served: Served) -> None:
    """Write a model folder."""
    write_json(make_folder(folder) / FILE, asdict(served))


def is_served(folder: Path) -> bool:
    """Whether a model folder names a model of a service."""
    return (folder / FILE).is_file()


def read_served(folder: Path) -> Served:
    """What a model folder names.

    Raises:
        ModelError: the file is damaged; or it is of no run here, and would choose where a key goes.
    """
    try:
        content = json.loads((folder / FILE).read_text("utf-8"))
        found = Served(**{**content, "labels": tuple(content["labels"])})
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ModelError(
            f"{folder / FILE} does not name a model of a service: {error}",
            fix="restore it, or resume the run that wrote it",
        ) from None
    if found.key is not None and not folder.resolve().is_relative_to(runs_folder().resolve()):
        raise ModelError(
            f"{folder} is of no run here, and asks to send ${found.key} to {found.base_url}",
            fix=f"if that is right, move its run to {runs_folder()}, or set TUNEWRIGHT_RUNS",
        )
    return found
