"""LoRA adapters beside the linear layers of a Keras model: PEFT's matrices, names and arithmetic.

Keras' own (`enable_lora`) are another kind where a layer splits its output among heads: they
share one B there, which no matrix of PEFT's format can say. Hu et al. 2021.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tunewright.backends.keras.framework import Frameworks
from tunewright.backends.keras.model import Classifier, layers
from tunewright.backends.keras.optimizer import Weight
from tunewright.backends.keras.ports import Port, turned
from tunewright.backends.keras.twin import Pair
from tunewright.backends.settings import AdapterSettings
from tunewright.errors import ModelError


def put_adapters(made: Classifier, pairs: Sequence[Pair], settings: AdapterSettings) -> Classifier:
    """Put adapters beside the layers of a model, in place.

    Args:
        pairs: their first numbers, and beside which layers they are in Transformers.
    Returns:
        the same model, with the adapters as all that may learn below the head.
    Raises:
        ModelError: a layer of Transformers has no counterpart in the blocks of the Keras model.
    """
    owners = {
        id(layer.kernel): (layer, made.num_blocks - 1 - index)
        for index, block in enumerate(made.spine.blocks)
        for outer in block
        for layer in layers(outer)
        if hasattr(layer, "kernel")
    }
    found: list[Weight] = []
    for pair in pairs:
        down = made.fw.keras.Variable(pair.down, name="lora_down")
        up = made.fw.keras.Variable(pair.up, name="lora_up")
        ports = [port for port in made.ports if port.key == f"{pair.layer}.weight"]
        if not ports or any(id(port.variable) not in owners for port in ports):
            raise _not_the_same(pair)
        for port in ports:
            layer, above = owners[id(port.variable)]
            _put(made.fw, layer, (down, up, _outputs(pair, port)), settings)
        found.append(Weight(pair.down_name, down, above, decays=True))
        found.append(Weight(pair.up_name, up, above, decays=True))
    return replace(made, adapters=tuple(found))


def _put(
    fw: Frameworks, layer: Any, matrices: tuple[Any, Any, slice], settings: AdapterSettings
) -> None:
    """Have a layer add scale · B A x to what it computes, before its bias and activation.

    Args:
        matrices: A, B and the rows of B that are the layer's outputs.
    """
    down, up, outputs = matrices
    ops, scale = fw.keras.ops, settings.alpha / settings.rank
    inner = _inner_axes(layer)
    outer = tuple(layer.kernel.shape[inner:])
    equation = getattr(layer, "equation", None)
    dropout = None
    if settings.dropout:
        dropout = fw.keras.layers.Dropout(settings.dropout, dtype=layer.dtype_policy)
        layer._tracker.unlock()  # so that it is found among the model's layers
        layer.adapter_dropout = dropout
        layer._tracker.lock()

    def call(inputs: Any, training: bool | None = None) -> Any:
        before = tuple(ops.shape(inputs))[:-inner]
        given = ops.reshape(inputs, (*before, down.shape[1]))
        if dropout is not None:
            given = dropout(given, training=training)
        added = ops.matmul(ops.matmul(given, ops.transpose(down)), ops.transpose(up[outputs]))
        if equation is None:
            state = ops.matmul(inputs, layer.kernel)
        else:
            state = ops.einsum(equation, inputs, layer.kernel)
        state = state + scale * ops.reshape(added, (*before, *outer))
        if layer.bias is not None:
            state = state + layer.bias
        return state if layer.activation is None else layer.activation(state)

    layer.call = call


def _inner_axes(layer: Any) -> int:
    """How many axes of the kernel, the first ones, are summed over."""
    given, kernel = getattr(layer, "equation", "ab,bc->ac").split("->")[0].split(",")
    return len(set(given) & set(kernel))


def _outputs(pair: Pair, port: Port) -> slice:
    """Which outputs of the Transformers layer the Keras layer has; its inputs are the same.

    Raises:
        ModelError: their order is another one.
    """
    num_inputs, num_outputs = pair.down.shape[1], pair.up.shape[0]
    places = np.arange(num_outputs * num_inputs).reshape(num_outputs, num_inputs)
    at = turned(port, places if not pair.inputs_first else places.T).reshape(num_inputs, -1)
    first, count = int(at[0, 0]) // num_inputs, at.shape[1]
    if not np.array_equal(at, places[first : first + count].T):
        raise _not_the_same(pair)
    return slice(first, first + count)


def _not_the_same(pair: Pair) -> ModelError:
    return ModelError(
        f"the layer {pair.layer} is another one in Keras: an adapter there could not be saved",
        fix="use backend torch, or adapt.method: full",
    )
