"""Frameworks that train: each behind the Protocol of `base`, opened by name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tunewright.backends.served import is_served, read_served
from tunewright.errors import RecipeError
from tunewright.pretrained.keras_files import MODEL_TYPE
from tunewright.recipe.schema import Reads, Recipe

_ALL = ("tunewright", "transformers", "numpy")
DECIDING_PACKAGES = {
    "torch": (*_ALL, "torch", "peft"),
    "keras": (*_ALL, "tensorflow", "keras", "keras-hub"),
}
"""Those whose version may change the last digits of what a backend computes."""


def open_session(recipe: Recipe, path: Path, reads: Reads) -> Any:
    """A model folder, opened by the backend that the recipe names; its framework is imported here.

    Raises:
        RecipeError: a service trains, so that there is no model on this machine to open.
    """
    if recipe.backend == "openai":
        raise RecipeError(
            "this needs a model on this machine, and with backend openai a service trains",
            fix="write backend: torch and name an open model",
        )
    if recipe.backend == "keras":
        from tunewright.backends.keras.session import KerasSession

        threads = recipe.train.threads
        return KerasSession(path, threads if isinstance(threads, int) else None, reads, recipe.data)
    from tunewright.backends.torch.session import TorchSession

    return TorchSession(path, reads, recipe.data, recipe.adapt.new_tokens)


def open_predictor(folder: Path) -> Any:
    """A trained model folder, by the framework that its weights are for, or the service that keeps
    them: `answers`, `labels`, `answer`."""
    if is_served(folder):
        from tunewright.backends.openai.labelled import ServedPredictor
        from tunewright.backends.openai.writer import open_served

        return ServedPredictor(open_served(read_served(folder)))
    from tunewright.backends.folder import read_config

    if read_config(folder).model_type == MODEL_TYPE:
        from tunewright.backends.keras.predictor import KerasPredictor

        return KerasPredictor(folder)
    from tunewright.backends.torch.predictor import TorchPredictor

    return TorchPredictor(folder)


def open_language(folder: Path, base: Path, recipe: Recipe) -> Any:
    """A language model that is asked what it thinks of rows: `answers`, as in training.

    Args:
        base: the folder of the model before training, which rewards are counted from.
    """
    from tunewright.backends.torch.language_scorer import LanguageScorer

    return LanguageScorer(folder, base, recipe)


def open_writer(folder: Path) -> Any:
    """A language model folder that answers prompts: `prompt`, `write`."""
    if is_served(folder):
        from tunewright.backends.openai.writer import open_served

        return open_served(read_served(folder))
    from tunewright.backends.torch.writer import TorchWriter

    return TorchWriter(folder)


def mean_vectors(
    folder: Path, texts: Sequence[str], *, longest: int | None = None, blocks: int | None = None
) -> np.ndarray:
    """float32 (texts, width): the mean of what a text's tokens are to a Transformers folder.

    Args:
        longest: tokens at which a text is cut; None for what the model can read.
        blocks: that a text goes through; None for all of them.
    """
    from tunewright.backends.torch.vectors import mean_vectors as by_torch

    return by_torch(folder, texts, longest=longest, blocks=blocks)


def is_sentence_encoder(folder: Path) -> bool:
    """Whether a folder is of a model that was trained on the mean of its tokens."""
    from tunewright.backends.folder import read_config
    from tunewright.backends.torch.mean_block import reads_mean

    return reads_mean(folder, read_config(folder))


def open_shared_base(folder: Path) -> Any:
    """A language model folder that writes several texts at once, with and without adapters."""
    from tunewright.backends.torch.shared_base import SharedBase

    return SharedBase(folder)


def open_encoder(folder: Path) -> Any:
    """A folder that gives texts vectors, as `mean_vectors`: `reader`, `vectors`."""
    from tunewright.backends.torch.vectors import TorchEncoder

    return TorchEncoder(folder)


def return_memory() -> None:
    """Give back to the system what models took that are not there any more."""
    import gc

    from tunewright.backends.torch.device import return_freed_memory

    gc.collect()
    return_freed_memory()
