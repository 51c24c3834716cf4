"""A DistilBERT is read back out of an ONNX file of 8-bit numbers."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tiny_models import write_model
from tunewright.errors import ModelError
from tunewright.pretrained import package
from tunewright.pretrained.catalog import resolve_model
from tunewright.pretrained.distilbert_file import make_distilbert
from tunewright.pretrained.onnx_weights import encoder_weights


class Graph:
    """Nodes and numbers of a graph, of which the weights are kept in 8 bits."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.numbers: list[Any] = []
        self.meant: dict[str, np.ndarray] = {}

    def eight_bits(self, name: str, values: np.ndarray, axis: int | None) -> str:
        """The name of the values after they went through 8 bits, by one scale or one a column."""
        over = tuple(at for at in range(values.ndim) if at != axis)
        scale = np.abs(values).max(over if axis is not None else None).astype(np.float32) / 127
        shape = [-1 if at == axis else 1 for at in range(values.ndim)]
        of_each = scale.reshape(shape) if axis is not None else scale
        whole = np.rint(values / of_each).astype(np.int8)
        zero = np.zeros(scale.shape, np.int8)
        for suffix, array in {"q": whole, "s": scale, "z": zero}.items():
            self.numbers.append(numpy_helper.from_array(np.asarray(array), f"{name}_{suffix}"))
        names = [f"{name}_{suffix}" for suffix in "qsz"]
        given = {} if axis is None else {"axis": axis}
        self.nodes.append(helper.make_node("DequantizeLinear", names, [f"{name}_r"], **given))
        self.meant[name] = whole.astype(np.float32) * of_each
        return f"{name}_r"

    def linear(self, name: str, weight: np.ndarray, bias: np.ndarray, axis: int | None) -> None:
        """A product whose answer is rounded before its bias is added."""
        real = self.eight_bits(name, weight.T, axis)
        self.numbers.append(numpy_helper.from_array(bias, f"distilbert.{name}.bias"))
        self.nodes += [
            helper.make_node("MatMul", ["state", real], [f"{name}_p"]),
            helper.make_node("QuantizeLinear", [f"{name}_p", "s", "z"], [f"{name}_i"]),
            helper.make_node("DequantizeLinear", [f"{name}_i", "s", "z"], [f"{name}_o"]),
            helper.make_node("Add", [f"distilbert.{name}.bias", f"{name}_o"], [f"{name}_a"]),
        ]
        self.meant[name] = self.meant[name].T

    def write(self, path: Path) -> Path:
        given = helper.make_tensor_value_info("ids", TensorProto.INT64, [1])
        graph = helper.make_graph(self.nodes, "tiny", [given], [], self.numbers)
        onnx.save(helper.make_model(graph), path)
        return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(
        tmp_path_factory.mktemp("onnx") / "source", "distilbert", max_position_embeddings=40
    )


@pytest.fixture(scope="module")
def graph(folder: Path) -> Graph:
    from safetensors.numpy import load_file

    made = Graph()
    weights = load_file(folder / "model.safetensors")
    for number, (name, each) in enumerate(sorted(weights.items())):
        layer = name.rpartition(".")[0]
        if name.endswith("_embeddings.weight"):
            real = made.eight_bits(layer, each, None)
            made.nodes.append(helper.make_node("Gather", [real, "ids"], [f"{layer}_rows"]))
        elif each.ndim == 2:
            axis = 1 if number % 2 else None
            made.linear(layer, each, weights[f"{layer}.bias"], axis)
        elif f"{layer}.weight" not in weights or weights[f"{layer}.weight"].ndim == 1:
            made.numbers.append(numpy_helper.from_array(each, f"distilbert.{name}"))
    made.numbers.append(numpy_helper.from_array(np.ones(3, np.float32), "classifier.bias"))
    return made


@pytest.fixture(scope="module")
def source(folder: Path, graph: Graph) -> Path:
    """The file, and the tokenizer beside it."""
    return graph.write(folder / "tagger.onnx")


def test_every_weight_of_the_encoder_is_found_by_its_name(
    folder: Path, source: Path, graph: Graph
) -> None:
    from safetensors.numpy import load_file

    before, found = (
        load_file(folder / "model.safetensors"),
        encoder_weights(onnx.load(source).graph),
    )
    assert found.keys() == before.keys(), "and nothing of the head"
    for name, each in found.items():
        assert each.dtype == np.float32
        assert each.shape == before[name].shape
        assert np.abs(each - before[name]).max() <= np.abs(before[name]).max() / 250, name
    for layer, meant in graph.meant.items():
        assert np.array_equal(found[f"{layer}.weight"], meant)


def test_the_folder_is_one_that_transformers_loads(source: Path, tmp_path: Path) -> None:
    from transformers import AutoModel, AutoTokenizer

    make_distilbert(source, tmp_path)
    loader: Any = AutoModel
    model, said = loader.from_pretrained(tmp_path, output_loading_info=True)
    assert not said["missing_keys"]
    assert not said["unexpected_keys"]
    assert len(model.transformer.layer) == 2
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    assert tokenizer.pad_token == "[PAD]"
    assert tokenizer("my parcel")["input_ids"][0] == tokenizer.cls_token_id
    assert json.loads((tmp_path / "tokenizer_config.json").read_text())["model_max_length"] == 512


def test_a_graph_of_another_kind_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no DistilBERT that can be read"):
        make_distilbert(Graph().write(folder / "other.onnx"), tmp_path)
    assert not list(tmp_path.iterdir())


def test_without_the_package_the_install_line_is_told_before_anything_is_fetched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    monkeypatch.setattr(package, "fetch_archive", lambda *a: pytest.fail("fetched"))
    with pytest.raises(ModelError, match="needs the package onnx") as caught:
        resolve_model("distilbert")
    assert caught.value.fix == "pip install 'tunewright[onnx]'"
