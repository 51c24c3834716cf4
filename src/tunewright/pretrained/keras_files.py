"""Picture models of Keras, known by a file of weights alone: what stands beside it in a folder.

The architecture is one of `keras.applications`, told by the file's name; nothing but numbers is ever
read from the file.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Any

from tunewright.cache import cache_folder
from tunewright.durable import disk_errors, file_sha256, make_folder, replacing_folder, write_json
from tunewright.errors import ModelError

MODEL_TYPE = "keras-application"
SUFFIX = ".weights.h5"
IMAGENET_RGB = [123.68, 116.779, 103.939]
SCALINGS: dict[str, dict[str, Any]] = {
    "mean": {"rescale_factor": 1.0, "image_mean": IMAGENET_RGB, "image_std": [1.0] * 3},
    "one": {"rescale_factor": 1 / 127.5, "image_mean": [1.0] * 3, "image_std": [1.0] * 3},
    "spread": {
        "rescale_factor": 1 / 255,
        "image_mean": [0.485, 0.456, 0.406],
        "image_std": [0.229, 0.224, 0.225],
    },
    "plain": {"rescale_factor": 1.0, "image_mean": [0.0] * 3, "image_std": [1.0] * 3},
}
"""What is done to values from 0 to 255: `preprocess_input` of each architecture."""
SCALED: dict[str, str] = {
    **dict.fromkeys(("VGG16", "VGG19", "ResNet50", "ResNet101", "ResNet152"), "mean"),
    **dict.fromkeys(("ResNet50V2", "ResNet101V2", "ResNet152V2", "Xception"), "one"),
    **dict.fromkeys(("InceptionV3", "InceptionResNetV2", "MobileNet", "MobileNetV2"), "one"),
    **dict.fromkeys(("DenseNet121", "DenseNet169", "DenseNet201"), "spread"),
    **dict.fromkeys((f"EfficientNetB{size}" for size in range(8)), "plain"),
    **dict.fromkeys(("MobileNetV3Small", "MobileNetV3Large"), "plain"),
}
FROM_BLUE = "mean"  # the scaling of models that read blue, green and red, in this order
SIDE = 224


def described(
    architecture: str,
    weights: str,
    *,
    side: int = SIDE,
    scaling: dict[str, Any] | None = None,
    names: dict[str, str] | None = None,
    ends_at: str | None = None,
) -> dict[str, dict[str, Any]]:
    """The JSON files of a folder that holds this file of weights.

    Args:
        architecture: a name in `keras.applications`.
        side: pixels of the square that pictures are resized to.
        scaling: what is done to values from 0 to 255; None for what the architecture expects.
        names: layer to its group in the file, where the file is of another model around it.
        ends_at: the last layer that is used, None for the architecture's own.
    """
    known = SCALED[architecture]
    config: dict[str, Any] = {
        "model_type": MODEL_TYPE,
        "architecture": architecture,
        "image_size": side,
        "weights": weights,
        "reads_blue_first": known == FROM_BLUE,
    }
    size = {"height": side, "width": side}
    processor = {"image_processor_type": "ViTImageProcessor", "size": size, "resample": 2}
    flags = {"do_resize": True, "do_rescale": True, "do_normalize": True}
    config |= {k: v for k, v in (("names", names), ("ends_at", ends_at)) if v}
    return {
        "config.json": config,
        "preprocessor_config.json": processor | flags | (scaling or SCALINGS[known]),
    }


def folder_of_file(path: Path) -> Path:
    """A folder in the cache with a file of weights and what stands beside it.

    Raises:
        ModelError: a file with a model's configuration, or of an architecture that is not known.
    """
    if not path.name.endswith(SUFFIX):
        raise ModelError(
            f"{path} is no file of weights alone, and what a file says of a model is not trusted",
            fix=f"save its weights: model.save_weights('vgg16{SUFFIX}'), named after its architecture",
        )
    plain = re.sub(r"[^a-z0-9]", "", path.name.lower())
    found = [name for name in SCALED if plain.startswith(name.lower())]
    if not found:
        raise ModelError(
            f"the name of {path} begins with no architecture of keras.applications",
            fix=f"rename it, such as to vgg16{SUFFIX}; known are {', '.join(SCALED)}",
        )
    architecture = max(found, key=len)
    place = cache_folder() / "models" / f"{architecture.lower()}-{file_sha256(path)[:16]}"
    if not place.is_dir():
        make_folder(place.parent)
        with replacing_folder(place) as staged, disk_errors(staged):
            _link(path, staged / path.name)
            for name, content in described(architecture, path.name).items():
                write_json(staged / name, content)
    return place


def _link(path: Path, target: Path) -> None:
    try:
        os.link(path.resolve(), target)
    except OSError:
        shutil.copyfile(path, target)
