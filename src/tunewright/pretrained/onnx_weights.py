"""The weights of a DistilBERT out of an ONNX graph of 8-bit numbers, by their names.

An export names biases and norms as the model does, but not the matrices of linear layers and the
tables; these are found by where the graph uses them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

_PREFIX = "distilbert."
_TABLE = _PREFIX + "embeddings.{}_embeddings.weight"
_ROUNDS = ("QuantizeLinear", "DequantizeLinear")
Arrays = dict[str, np.ndarray]


def encoder_weights(graph: Any) -> Arrays:
    """float32 weights of the encoder in an ONNX graph, by the names that Transformers has for them."""
    from onnx import numpy_helper

    known = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    real = known | {
        node.output[0]: _dequantised(node, known)
        for node in graph.node
        if node.op_type == "DequantizeLinear" and node.input[0] in known
    }
    plain = {name: each for name, each in known.items() if each.dtype == np.float32}
    named = {name: each for name, each in plain.items() if name.endswith((".weight", ".bias"))}
    found = named | _tables(graph, real) | _matrices(graph, real)
    return {
        name.removeprefix(_PREFIX): np.ascontiguousarray(each)
        for name, each in sorted(found.items())
        if name.startswith(_PREFIX)
    }


def _dequantised(node: Any, known: Mapping[str, np.ndarray]) -> np.ndarray:
    """(whole − zero) × scale, where the two are of the whole matrix or of each slice on an axis."""
    whole, scale = known[node.input[0]].astype(np.float32), known[node.input[1]]
    zero = known[node.input[2]].astype(np.float32) if len(node.input) > 2 else np.float32(0)
    if scale.ndim:
        axis = next((each.i for each in node.attribute if each.name == "axis"), 1)
        shape = [-1 if at == axis % whole.ndim else 1 for at in range(whole.ndim)]
        scale, zero = scale.reshape(shape), np.reshape(zero, shape)
    found: np.ndarray = (whole - zero) * scale
    return found


def _tables(graph: Any, real: Mapping[str, np.ndarray]) -> Arrays:
    """The tables of words and of positions: there are more words."""
    looked_up = {node.input[0] for node in graph.node if node.op_type == "Gather"}
    tables = [real[name] for name in looked_up if name in real and real[name].ndim == 2]
    tables.sort(key=len, reverse=True)
    return {
        _TABLE.format(name): each for name, each in zip(("word", "position"), tables, strict=False)
    }


def _matrices(graph: Any, real: Mapping[str, np.ndarray]) -> Arrays:
    """Of a product, the name is that of the bias which is added to it."""
    made_by = {output: node for node in graph.node for output in node.output}
    found: Arrays = {}
    for node in graph.node:
        bias = next((name for name in node.input if name.endswith(".bias")), None)
        if node.op_type != "Add" or bias is None:
            continue
        other = next(name for name in node.input if name != bias)
        product = made_by.get(_before_rounding(other, made_by))
        if product is not None and product.op_type == "MatMul":
            found[bias.removesuffix("bias") + "weight"] = real[product.input[1]].T
    return found


def _before_rounding(name: str, made_by: Mapping[str, Any]) -> str:
    """The output that a value was before it was rounded to eight bits and back."""
    node = made_by.get(name)
    while node is not None and node.op_type in _ROUNDS:
        name = node.input[0]
        node = made_by.get(name)
    return name
