"""The way of a state through a backbone: its repeated blocks, and where it can be cut.

KerasHub's text models have their blocks in the graph; its picture models hide them within one layer,
which is taken apart here: the same layers, each called once, in the same order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tunewright.backends.keras.framework import Frameworks


@dataclass(frozen=True)
class Spine:
    """A backbone as the blocks of a model.

    Args:
        inputs: of the model.
        entry: the symbolic state that enters the lowest block.
        blocks: its repeated layers, bottom to top; one group where layers are used again.
        borders: the symbolic state that leaves each block.
        output: what the backbone answers with, under KerasHub's names where there are several.
        idle: variables that no answer depends on.
    """

    inputs: list[Any]
    entry: Any
    blocks: tuple[tuple[Any, ...], ...]
    borders: tuple[Any, ...]
    output: Any
    idle: tuple[Any, ...] = ()


def spine_of(fw: Frameworks, backbone: Any, kind: str) -> Spine:
    """The spine of a backbone of this `model_type`."""
    return _PICTURES[kind](backbone) if kind in _PICTURES else _texts(fw, backbone)


def read_above(border: Any, end: Any) -> list[Any]:
    """The model's inputs that lead to a symbolic end without passing the border."""
    found: list[Any] = []
    seen: set[int] = set()
    todo = [end]
    while todo:
        tensor = todo.pop()
        if id(tensor) in seen or tensor is border:
            continue
        seen.add(id(tensor))
        operation, at, _ = tensor._keras_history
        inputs = operation._inbound_nodes[at].input_tensors
        if not inputs:
            found.append(tensor)
        todo += inputs
    return found


def _texts(fw: Frameworks, backbone: Any) -> Spine:
    found = tuple(fw.keras.tree.flatten(backbone.transformer_layers))
    entry = found[0]._inbound_nodes[0].input_tensors[0]
    outputs = backbone.output
    if all(len(layer._inbound_nodes) == 1 for layer in found):
        blocks = tuple((layer,) for layer in found)
        borders = tuple(layer.output for layer in found)
        return Spine(backbone.inputs, entry, blocks, borders, outputs)
    last = outputs["sequence_output"] if isinstance(outputs, dict) else outputs
    return Spine(backbone.inputs, entry, (found,), (last,), outputs)


def _vit(backbone: Any) -> Spine:
    """Of the last state the first token alone goes on: the norm is of each token by itself."""
    embed, encoder = backbone.layers[1:3]
    state = entry = encoder.dropout(embed(backbone.inputs[0]))
    borders = [state := layer(state) for layer in encoder.encoder_layers]
    first = borders[-1] = state[:, :1]
    blocks = tuple((layer,) for layer in encoder.encoder_layers)
    return Spine(backbone.inputs, entry, blocks, tuple(borders), encoder.layer_norm(first))


def _deit(backbone: Any) -> Spine:
    """One block: a layer of it answers with more than its state, which no Keras graph takes."""
    _, embed, encoder = backbone.layers[:3]
    first = backbone.output[:, :1]
    return Spine(backbone.inputs, embed.output, ((encoder,),), (first,), first)


def _dinov2(backbone: Any) -> Spine:
    backbone.embeddings.interpolated_position_embeddings.trainable = False
    state = entry = backbone.embeddings(backbone.inputs[0])
    borders = [state := layer(state) for layer in backbone.encoder.layers]
    blocks = tuple((layer,) for layer in backbone.encoder.layers)
    # positions are read from a table that is made of these for the size of the picture
    idle = (backbone.embeddings.position_embeddings, backbone.embeddings.mask_token)
    output = backbone.layernorm(state)
    return Spine(backbone.inputs, entry, blocks, tuple(borders), output, idle)


def _swin(backbone: Any) -> Spine:
    """What halves the picture goes with the block below it."""
    state = entry = backbone.get_layer("pos_drop")(backbone.patch_embedding(backbone.inputs[0]))
    blocks: list[tuple[Any, ...]] = []
    borders: list[Any] = []
    for stage in backbone.stages:
        for layer in (*stage.blocks, *filter(None, [stage.downsample])):
            layer.name = f"{stage.name}_{layer.name}"  # each stage has names of its own
        for layer in stage.blocks:
            borders.append(state := layer(state))
            blocks.append((layer,))
        if stage.downsample is not None:
            height, width = stage.input_resolution
            borders[-1] = state = stage.downsample(state, H=height, W=width)
            blocks[-1] += (stage.downsample,)
    return Spine(backbone.inputs, entry, tuple(blocks), tuple(borders), backbone.norm(state))


_PICTURES: dict[str, Callable[[Any], Spine]] = {
    "vit": _vit,
    "deit": _deit,
    "dinov2": _dinov2,
    "swin": _swin,
}
