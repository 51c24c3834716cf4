"""Picture models of Keras itself, from a file of weights: `vgg16.weights.h5` and its like.

The architecture is built by `keras.applications`, and only numbers are read from the file: nothing
that a file says of a model is run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tunewright.backends.keras.framework import Frameworks
from tunewright.backends.keras.spine import Spine, read_above
from tunewright.errors import ModelError

STEM = re.compile(r"(?:block|conv|stage|mixed|stack)_?\d+[a-z]?(?:_block_?\d+)?")


def backbone_of(fw: Frameworks, folder: Path) -> Any:
    """The convolutions of a folder's model, with its weights.

    Raises:
        ModelError: there is no such architecture, or the weights are of another one.
    """
    config = json.loads((folder / "config.json").read_text("utf-8"))
    name, side = config["architecture"], config["image_size"]
    make: Any = getattr(fw.keras.applications, name, None)
    if not callable(make):
        raise ModelError(
            f"keras.applications has no model {name}", fix="name one of keras.applications"
        )
    model = make(include_top=False, weights=None, input_shape=(side, side, 3))
    try:
        model.load_weights(str(folder / config["weights"]))
    except Exception as error:  # noqa: BLE001 - whatever Keras makes of a foreign file
        raise ModelError(
            f"{config['weights']} does not fit {name}: {str(error).strip().splitlines()[0][:200]}",
            fix=f"save it without its top: {name}(include_top=False).save_weights(FILE)",
        ) from None
    for layer in model.layers:  # its means and variances stay those of the pre-training
        if isinstance(layer, fw.keras.layers.BatchNormalization):
            layer.trainable = False
    return model


def spine_of(fw: Frameworks, model: Any) -> Spine:
    """Layers whose names begin alike are a block, where one state alone leads on from them.

    The last border is the mean over the places of a picture: all that the head reads.
    """
    pooled = fw.keras.layers.GlobalAveragePooling2D(name="pooled")(model.output)
    groups = _grouped(model.layers)
    blocks: list[tuple[Any, ...]] = []
    borders: list[Any] = []
    waiting: list[Any] = []
    for index, layers in enumerate(groups):
        waiting += layers
        border = pooled if index == len(groups) - 1 else layers[-1].output
        if not read_above(border, pooled):
            blocks.append(tuple(waiting))
            borders.append(border)
            waiting = []
    if not blocks:
        blocks, borders = [tuple(model.layers[1:])], [pooled]
    first = blocks[0][0]._inbound_nodes[0].input_tensors[0]
    return Spine(model.inputs, first, tuple(blocks), tuple(borders), pooled)


def _grouped(layers: Sequence[Any]) -> list[list[Any]]:
    """Neighbours with one stem; a layer without any belongs to the group before it."""
    groups: list[list[Any]] = []
    last = ""
    for layer in layers:
        found = STEM.match(layer.name)
        if found and found.group() != last:
            last = found.group()
            groups.append([])
        if groups:
            groups[-1].append(layer)
    return groups
