"""A DistilBERT out of an ONNX file of 8-bit numbers: its weights by name, and the folder of them.

An export names biases and norms as the model does, but not the matrices of linear layers and the
tables; these are found by where the graph uses them.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tunewright.durable import write_json
from tunewright.errors import ModelError
from tunewright.pretrained.weights import SINGLE

INSTALL = "pip install 'tunewright[onnx]'"
_PREFIX = "distilbert."
_TABLE = _PREFIX + "embeddings.{}_embeddings.weight"
_HEAD_WIDTH = 64  # of every DistilBERT
_ROUNDS = ("QuantizeLinear", "DequantizeLinear")
_TOKENIZER = {
    "tokenizer_class": "PreTrainedTokenizerFast",
    "model_max_length": 512,
    **{f"{name}_token": f"[{name.upper()}]" for name in ("unk", "sep", "pad", "cls", "mask")},
}
Arrays = dict[str, np.ndarray]


def require_onnx() -> None:
    """Raise ModelError unless the package `onnx` can be imported."""
    try:
        import onnx  # noqa: F401
    except ImportError:
        raise ModelError(
            "reading this model out of its package needs the package onnx, which is missing",
            fix=INSTALL,
        ) from None


def make_distilbert(source: Path, into: Path) -> None:
    """Fill a folder from an ONNX file with a DistilBERT in it, and the tokenizer.json beside it.

    Raises:
        ModelError: the package is missing, or a weight is not found.
    """
    require_onnx()
    import onnx
    from safetensors.numpy import save_file

    weights = encoder_weights(onnx.load(source).graph)
    config = _config(source, weights)
    save_file({name: np.ascontiguousarray(each) for name, each in weights.items()}, into / SINGLE)
    (into / SINGLE).chmod(0o644)  # safetensors gives it to its owner alone; a cache may be shared
    write_json(into / "config.json", config)
    shutil.copyfile(source.with_name("tokenizer.json"), into / "tokenizer.json")
    write_json(into / "tokenizer_config.json", _TOKENIZER)


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
        name.removeprefix(_PREFIX): each
        for name, each in sorted(found.items())
        if name.startswith(_PREFIX)
    }


def _config(source: Path, weights: Arrays) -> dict[str, Any]:
    """What the shapes say of the model.

    Raises:
        ModelError: the graph is of another kind.
    """
    blocks = {name.split(".")[2] for name in weights if name.startswith("transformer.layer.")}
    try:
        vocabulary, width = weights["embeddings.word_embeddings.weight"].shape
        positions, _ = weights["embeddings.position_embeddings.weight"].shape
        inner, _ = weights["transformer.layer.0.ffn.lin1.weight"].shape
    except (KeyError, ValueError) as error:
        raise ModelError(
            f"{source.name} holds no DistilBERT that can be read: {error}",
            fix="report it: the catalog entry or the package is wrong",
        ) from None
    return {
        "architectures": ["DistilBertModel"],
        "model_type": "distilbert",
        "vocab_size": vocabulary,
        "max_position_embeddings": positions,
        "dim": width,
        "hidden_dim": inner,
        "n_layers": len(blocks),
        "n_heads": max(1, width // _HEAD_WIDTH),
        "pad_token_id": 0,
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
