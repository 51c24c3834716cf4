"""Random picture models of a few small blocks, as folders, and backends over tiny pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoConfig, AutoModel, ViTImageProcessorPil

from tiny_pictures import COLOURS, write_picture
from tiny_zoo import FOUR, SWIN, VISION
from training import LABELS, SETTINGS
from tunewright.backends.torch.session import TorchSession
from tunewright.data.rows import Rows
from tunewright.recipe.schema import Recipe

SIDE = {"swin": 32}
SHAPE: dict[str, Any] = {
    "hidden_size": 32,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "mlp_ratio": 2,
    "drop_path_rate": 0.0,
}


def write_picture_model(folder: Path, name: str) -> Path:
    """A folder as a hub would have it: a backbone without a head, and its image processor."""
    sizes = SWIN if name == "swin" else {**SHAPE, **VISION[name], **FOUR, "num_hidden_layers": 2}
    config = AutoConfig.for_model(name, **sizes)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = AutoModel.from_config(config)
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.ndim > 1:
                    parameter.mul_(3.0)
    model.save_pretrained(folder)
    side = SIDE.get(name, 16)
    ViTImageProcessorPil(size={"height": side, "width": side}).save_pretrained(folder)
    return folder


def picture_rows(folder: Path, count: int) -> Rows:
    """So many pictures of three colours."""
    colours = list(COLOURS)
    paths = [
        write_picture(folder / f"{number}.png", colours[number % 3], number)
        for number in range(count)
    ]
    return Rows(
        texts=[str(path) for path in paths],
        pairs=None,
        labels=[LABELS[number % 3] for number in range(count)],
        ids=[f"{number:032x}" for number in range(count)],
        source="pictures",
        numbers=np.arange(count) + 1,
        reads="image",
    )


def open_pictures(
    model: Path,
    folder: Path,
    count: int = 24,
    *,
    session: Callable[[Path], Any] = lambda path: TorchSession(path, "image"),
    dropout: Any = 0.0,
    augment: dict[str, Any] | None = None,
    **train: Any,
) -> Any:
    """A backend over `count` pictures to train on and a third of that to validate."""
    rows = picture_rows(folder, count + count // 3)
    numbers = np.arange(len(rows)) % 3
    recipe = Recipe.model_validate(
        {
            "task": "image-classification",
            "train": {**SETTINGS, "max_length": None, **train},
            "adapt": {"dropout": dropout},
            "augment": augment or {},
        }
    )
    first, rest = np.arange(count), np.arange(count, len(rows))
    parts = {
        "train": (rows.take(first), numbers[first]),
        "validation": (rows.take(rest), numbers[rest]),
    }
    return session(model).open(recipe, LABELS, parts)
