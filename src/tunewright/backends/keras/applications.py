"""Picture models of Keras itself, from a file of weights: `vgg16.weights.h5` and its like.

The architecture is built by `keras.applications`, and only numbers are read from the file: nothing
that a file says of a model is run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tunewright.backends.answers import PROBLEMS, Answers
from tunewright.backends.inputs import Reader
from tunewright.backends.keras.framework import Frameworks
from tunewright.backends.keras.heads import Scores
from tunewright.backends.keras.model import Classifier, arguments
from tunewright.backends.keras.ports import Port
from tunewright.backends.keras.spine import Spine, read_above
from tunewright.backends.keras.state import read_arrays, write_arrays
from tunewright.durable import write_json
from tunewright.errors import ModelError

STEM = re.compile(r"([a-z]+)(?:_(?:pad|dw|pw))?_?(\d+)([a-z]?)(?:_block_?(\d+))?")
WEIGHTS = "model.safetensors"
LAST = "scores"  # the layer's name
ANSWERS_WITHIN, ANSWERS_WITHIN_BF16 = 1e-4, 0.05


def build(
    fw: Frameworks,
    folder: Path,
    num_labels: int,
    *,
    dropout: float | None,
    seed: int,
    bf16: bool = False,
) -> Classifier:
    """A folder's convolutions, the mean over the places of a picture, and a layer of scores.

    Args:
        dropout: of what enters the last layer; None for none.
        seed: of the last layer, where the folder has none.
    Raises:
        ModelError: there is no such architecture, or the weights are of another one.
    """
    config = json.loads((folder / "config.json").read_text("utf-8"))
    fw.keras.config.set_dtype_policy("mixed_bfloat16" if bf16 else "float32")
    try:
        backbone = _backbone(fw, config)
        spine = _spine(fw, backbone)
        state = fw.keras.layers.Identity(name="features")(spine.output)  # apart from the border
        last = fw.keras.layers.Dense(
            num_labels,
            name=LAST,
            dtype="float32",
            kernel_initializer=fw.keras.initializers.GlorotUniform(seed=seed),
        )
        scores = last(fw.keras.layers.Dropout(dropout or 0.0, name="scores_dropout")(state))
    finally:
        fw.keras.config.set_dtype_policy("float32")
    ports = _ports(fw, spine, scores)
    _fill(config, folder, backbone, ports)
    return Classifier(fw, spine, Scores("first", scores, state, last), ports)


def save(
    fw: Frameworks,
    source: Path,
    labels: Sequence[str],
    reader: Reader,
    folder: Path,
    ports: tuple[Port, ...],
    answers: Answers,
    batch: Mapping[str, np.ndarray],
    scores: np.ndarray,
    *,
    bf16: bool,
) -> None:
    """Write a folder that `build` reads, and prove that it gives these scores.

    Args:
        bf16: whether that is the precision of the scores; what was written is asked in it.
    Raises:
        ModelError: it gives others.
    """
    config = json.loads((source / "config.json").read_text("utf-8"))
    own = {"weights": WEIGHTS, "reads_blue_first": False, "names": None}
    named = {"id2label": dict(enumerate(labels)), "problem_type": PROBLEMS[answers.kind]}
    write_json(folder / "config.json", {**config, **own, **named})
    write_arrays(folder / WEIGHTS, _in_units(ports, answers))
    reader.save(folder)
    again = build(fw, folder, len(labels), dropout=None, seed=0, bf16=bf16)
    found = np.asarray(again.model(arguments(again.model, batch)))
    scores = answers.in_units(scores)
    apart = float(np.abs(found - scores).max())
    within = ANSWERS_WITHIN_BF16 if bf16 else ANSWERS_WITHIN
    if not apart <= within * max(1.0, float(np.abs(scores).max())):
        raise ModelError(
            f"the saved model answers otherwise: scores differ by {apart:.2g}",
            fix="use train.precision fp32",
        )


def _in_units(ports: tuple[Port, ...], answers: Answers) -> dict[str, np.ndarray]:
    """The weights; those of the last layer give scores in the units of the labels."""
    arrays = {port.key: np.asarray(port.variable) for port in ports}
    for key in (key for key in arrays if key.startswith(f"{LAST}/")):
        arrays[key] = (arrays[key] * answers.spread).astype(arrays[key].dtype)
        if key.endswith("/bias"):
            arrays[key] += np.asarray(answers.centre, arrays[key].dtype)
    return arrays


def _backbone(fw: Frameworks, config: Mapping[str, Any]) -> Any:
    name, side = config["architecture"], config["image_size"]
    make: Any = getattr(fw.keras.applications, name, None)
    if not callable(make):
        raise ModelError(
            f"keras.applications has no model {name}", fix="name one of keras.applications"
        )
    pictures = fw.keras.Input((side, side, 3), name="images")
    model = make(include_top=False, weights=None, input_tensor=pictures)
    if config.get("ends_at"):
        model = fw.keras.Model(pictures, model.get_layer(config["ends_at"]).output)
    for layer in model.layers:  # its means and variances stay those of the pre-training
        if isinstance(layer, fw.keras.layers.BatchNormalization):
            layer.trainable = False
    return model


def _ports(fw: Frameworks, spine: Spine, scores: Any) -> tuple[Port, ...]:
    """Every variable, by its own name."""
    model = fw.keras.Model(spine.inputs, scores)
    return tuple(Port(each, each.path, None, len(each.shape) > 1) for each in model.variables)


def _fill(config: Mapping[str, Any], folder: Path, backbone: Any, ports: tuple[Port, ...]) -> None:
    """Read the weights: our own file's, or a file of Keras's, or a part of a larger model's."""
    path, name = folder / str(config["weights"]), config["architecture"]
    try:
        if path.suffix == ".safetensors":
            arrays = read_arrays(path)
            for port in ports:
                port.variable.assign(arrays[port.key])
        elif config.get("names"):
            _fill_by_name(backbone, path, config["names"])
        else:
            backbone.load_weights(str(path))
    except Exception as error:  # noqa: BLE001 - whatever Keras makes of a foreign file
        raise ModelError(
            f"{path.name} does not fit {name}: {str(error).strip().splitlines()[0][:200]}",
            fix=f"save it without its top: {name}(include_top=False).save_weights(FILE)",
        ) from None
    if config["reads_blue_first"]:
        kernel = next(port.variable for port in ports if len(port.variable.shape) == 4)
        kernel.assign(np.asarray(kernel)[:, :, ::-1])


def _fill_by_name(backbone: Any, path: Path, names: Mapping[str, str]) -> None:
    import h5py

    with h5py.File(path) as file:
        for layer, group in names.items():
            for index, variable in enumerate(backbone.get_layer(layer).variables):
                variable.assign(file[f"{group}/vars/{index}"][()])


def _spine(fw: Frameworks, model: Any) -> Spine:
    """Layers whose names begin alike are a block, where one state alone leads on from them.

    The last border is the mean over the places of a picture: all that the head reads.
    """
    pooled = fw.keras.layers.GlobalAveragePooling2D(name="pooled", dtype="float32")(model.output)
    blocks: list[tuple[Any, ...]] = []
    borders: list[Any] = []
    waiting: list[Any] = []
    groups = _grouped(model.layers)
    for index, layers in enumerate(groups):
        waiting += layers
        border = pooled if index == len(groups) - 1 else layers[-1].output
        if not read_above(border, pooled):
            blocks.append(tuple(waiting))
            borders.append(border)
            waiting = []
    if not blocks:
        blocks, borders = [tuple(model.layers[1:])], [pooled]
    entry = blocks[0][0]._inbound_nodes[0].input_tensors[0]
    return Spine(model.inputs, entry, tuple(blocks), tuple(borders), pooled)


def _grouped(layers: Sequence[Any]) -> list[list[Any]]:
    """Neighbours with one stem; a layer without any belongs to the group before it."""
    groups: list[list[Any]] = []
    last: tuple[str, ...] = ()
    for layer in layers:
        found = STEM.match(layer.name)
        if found and found.groups() != last:
            last = found.groups()
            groups.append([])
        if groups:
            groups[-1].append(layer)
    return groups
