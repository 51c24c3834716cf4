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
from tunewright.pretrained.folder import weights_sha256
from tunewright.pretrained.listing import path_here
from tunewright.pretrained.weights import find_weights
from tunewright.recipe.load import load_recipe
from tunewright.serve.answers import ApiError
from tunewright.serve.known_models import find_known
from tunewright.serve.settings import ServeSettings
from tunewright.serve.store import Store

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


def find_place(name: str, settings: ServeSettings, store: Store) -> Place:
    """A base that is on this machine, a model that was trained here, or a run that is done.

    Raises:
        ApiError: there is none of this name here.
    """
    run = next((each for each in run_folders() if each.name == name), None)
    folder = path_here(find_known(settings, store, name).source) if run is None else run / "model"
    return place_of_folder(name, folder)


def place_of_folder(name: str, folder: Path | None) -> Place:
    """What a model folder does; with its base and adapters, where these can be shared.

    Raises:
        ApiError: there is no such folder on this machine, or it is of pictures.
    """
    if folder is None or not (folder / "config.json").is_file():
        raise ApiError(
            404,
            f"The model '{name}' is not on this machine: tunewright models pull {name}",
            "model",
            "model_not_found",
        )
    reads = find_model(folder).reads
    if reads == "image":
        raise ApiError(400, f"The model `{name}` reads pictures, not texts", "model")
    if reads == "chat":
        base = _shared_base(folder)
        return Place(name, "writes", folder, base, folder / "adapter" if base else None)
    kinds = json.loads((folder / "config.json").read_text("utf-8")).get("architectures") or [""]
    classifies = str(kinds[0]).endswith("ForSequenceClassification")
    return Place(name, "classifies" if classifies else "encodes", folder)


def _shared_base(folder: Path) -> Path | None:
    """Of a run's model that is its base and adapters, the base: if it is here, and as it was."""
    run = next((each for each in folder.parents[:2] if (each / STATE_FILE).is_file()), None)
    if run is None or not holds_adapters_alone(folder / "adapter"):
        return None
    try:
        recipe = load_recipe(run / "recipe.yaml")
        if recipe.adapt.quantization != "none":  # learned on weights that the base does not have
            return None
        base = path_here(recipe.model)
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
