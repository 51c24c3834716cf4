"""A DistilBERT that a package carries as an ONNX file becomes a plain model folder."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from tunewright.durable import write_json
from tunewright.errors import ModelError
from tunewright.pretrained.weights import SINGLE

INSTALL = "pip install 'tunewright[onnx]'"
_HEAD_WIDTH = 64  # of every DistilBERT
_TOKENIZER = {
    "tokenizer_class": "PreTrainedTokenizerFast",
    "model_max_length": 512,
    **{f"{name}_token": f"[{name.upper()}]" for name in ("unk", "sep", "pad", "cls", "mask")},
}


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

    from tunewright.pretrained.onnx_weights import encoder_weights

    weights = encoder_weights(onnx.load(source).graph)
    config = _config(source, weights)
    save_file(weights, into / SINGLE)
    (into / SINGLE).chmod(0o644)  # safetensors gives it to its owner alone; a cache may be shared
    write_json(into / "config.json", config)
    shutil.copyfile(source.with_name("tokenizer.json"), into / "tokenizer.json")
    write_json(into / "tokenizer_config.json", _TOKENIZER)


def _config(source: Path, weights: dict[str, Any]) -> dict[str, Any]:
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
