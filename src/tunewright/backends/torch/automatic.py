"""The class that finds a folder's model: that of Transformers, which is told here of ours."""

from __future__ import annotations

from typing import Any

from transformers import (
    AutoModel,
    AutoModelForImageClassification,
    AutoModelForSequenceClassification,
)

from tunewright.backends.torch import static_embeddings  # noqa: F401 - it makes itself known


def classifiers(*, of_pictures: bool) -> Any:
    """Loads a folder as a classifier, of pictures or of texts."""
    return AutoModelForImageClassification if of_pictures else AutoModelForSequenceClassification


def backbones() -> Any:
    """Loads a folder without a head."""
    return AutoModel
