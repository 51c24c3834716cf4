"""From the name of a model to the folders that it is opened from; nothing is fetched for a request."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from tunewright.backends.adapter_folder import holds_adapters_alone
from tunewright.errors import TunewrightError
from tunewright.history.folder import run_folders
from tunewright.history.state import STATE_FILE, read_state
from tunewright.inference import find_model
from tunewright.pretrained.entries import ENTRIES
from tunewright.pretrained.folder import weights_sha256
from tunewright.pretrained.listing import path_here
from tunewright.pretrained.weights import find_weights
from tunewright.recipe.load import load_recipe
from tunewright.serve.answers import ApiError
from tunewright.serve.settings import ServeSettings
from tunewright.serve.store import Store
from tunewright.serve.tables import models

Does = Literal["writes", "classifies", "encodes"]


@dataclass(frozen=True)
class Place:
    """Where a model lies.

    Args:
        does: what it can be asked for; what classifies also gives vectors.
        folder: with its weights, its tokenizer and its template.
        base, adapter: in place of the folder's weights, where the run left adapters alone.
    """

    name: str
    does: Does
    folder: Path
    base: Path | None = None
    adapter: Path | None = None


def no_such_model(name: str) -> ApiError:
    """404 in the words of the hosted service."""
    return ApiError(404, f"The model `{name}` does not exist", "model", "model_not_found")


def find_place(name: str, settings: ServeSettings, store: Store) -> Place:
    """A tuned model of the store, a base that is on this machine, or a run that is done.

    Raises:
        ApiError: there is none of this name here.
    """
    row = store.get(models, name)
    if row is not None:
        return place_of_folder(name, Path(row["path"]))
    if (folder := _base_folder(name, settings)) is not None:
        return place_of_folder(name, folder)
    run = next((each for each in run_folders() if each.name == name), None)
    if run is None or not (run / "model" / "config.json").is_file():
        raise no_such_model(name)
    return place_of_folder(name, run / "model")


def place_of_folder(name: str, folder: Path) -> Place:
    """What a model folder does; with its base and adapters, where these can be shared.

    Raises:
        ApiError: the folder is not there any more, or of pictures.
    """
    if not (folder / "config.json").is_file():
        raise no_such_model(name)
    reads = find_model(folder).reads
    if reads == "image":
        raise ApiError(400, f"The model `{name}` reads pictures, not texts", "model")
    if reads == "chat":
        base = _shared_base(folder)
        return Place(name, "writes", folder, base, folder / "adapter" if base else None)
    kinds = json.loads((folder / "config.json").read_text("utf-8")).get("architectures") or [""]
    classifies = str(kinds[0]).endswith("ForSequenceClassification")
    return Place(name, "classifies" if classifies else "encodes", folder)


def _base_folder(name: str, settings: ServeSettings) -> Path | None:
    """Of a base that may be used and is here."""
    if name in settings.models:
        return path_here(name)
    known = {each.base: each.name for each in ENTRIES} | {each.name: each.name for each in ENTRIES}
    entry = known.get(name)
    may_be_used = not settings.models or entry in settings.models
    return path_here(entry) if entry is not None and may_be_used else None


def _shared_base(folder: Path) -> Path | None:
    """Of a run's model that is its base and adapters, the base: if it is here, and as it was."""
    run = folder.parent
    if not holds_adapters_alone(folder / "adapter") or not (run / STATE_FILE).is_file():
        return None
    try:
        base = path_here(load_recipe(run / "recipe.yaml").model)
        return base if base and _sha256(base) == read_state(run).get("model_hash") else None
    except (TunewrightError, OSError):
        return None


def _sha256(folder: Path) -> str:
    weights = find_weights(folder)
    return _sha256_of(weights, tuple(path.stat().st_mtime_ns for path in weights))


@lru_cache(maxsize=64)
def _sha256_of(weights: tuple[Path, ...], _: tuple[int, ...]) -> str:
    """Kept as long as the files are those that they were."""
    return weights_sha256(weights)
