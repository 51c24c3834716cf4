"""`export --to gguf`: what is written is read by Transformers and answers as the folder does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from tiny_llama import PROMPTS, TEMPLATE, write_llama
from tunewright import exporting
from tunewright.backends.torch.gguf_proof import compare
from tunewright.errors import ModelError, RunError
from tunewright.export import gguf as export_gguf
from tunewright.export.gguf import write_gguf
from tunewright.pretrained.gguf_header import read_header
from tunewright.recipe.schema import Recipe


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("llama", {}),
        ("llama", {"tie_word_embeddings": True, "way": "llama-bpe"}),
        ("llama", {"rope_theta": 5000.0, "num_key_value_heads": 4, "way": "gpt-2"}),
        ("mistral", {"sliding_window": None}),
        ("qwen2", {"way": "qwen2"}),
        ("qwen3", {"head_dim": 128}),
    ],
)
def test_half_precision_holds_bfloat16_weights_exactly(
    kind: str, changes: dict[str, Any], tmp_path: Path
) -> None:
    folder = write_llama(tmp_path / "model", kind, **changes)
    write_gguf(folder, tmp_path / "x.gguf")
    found = compare(folder, tmp_path / "x.gguf", "f16", PROMPTS)
    assert found.apart < 1e-4
    assert found.same == 1


def test_eight_bits_are_half_the_size_and_near(tmp_path: Path) -> None:
    folder = write_llama(tmp_path / "model", dtype=torch.float32)
    for quantization in ("f16", "q8_0"):
        write_gguf(folder, tmp_path / f"{quantization}.gguf", quantization, name="mine")
    found = compare(folder, tmp_path / "q8_0.gguf", "q8_0", PROMPTS)
    assert 0 < found.apart < 1
    half, eighth = (read_header(tmp_path / f"{each}.gguf") for each in ("f16", "q8_0"))
    assert (half.types, eighth.types) == ({"F32", "F16"}, {"F32", "Q8_0"})
    assert eighth.facts["general.file_type"] == 7
    assert eighth.facts["general.name"] == "mine"
    assert eighth.facts["general.license"] == "apache-2.0"
    assert eighth.facts["tokenizer.ggml.pre"] == "smollm"
    assert eighth.facts["tokenizer.chat_template"] == TEMPLATE


def test_rows_in_another_order_are_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_llama(tmp_path / "model")
    monkeypatch.setattr(export_gguf, "_paired", lambda values, heads: values)
    write_gguf(folder, tmp_path / "x.gguf")
    with pytest.raises(ModelError, match="answers otherwise"):
        compare(folder, tmp_path / "x.gguf", "q8_0", PROMPTS)


def test_another_template_or_way_to_cut_texts_is_noticed(tmp_path: Path) -> None:
    folder = write_llama(tmp_path / "model")
    write_gguf(folder, tmp_path / "x.gguf")
    (folder / "chat_template.jinja").write_text("another")
    with pytest.raises(ModelError, match="another chat template"):
        compare(folder, tmp_path / "x.gguf", "f16", PROMPTS)
    (folder / "chat_template.jinja").write_text(TEMPLATE)
    change_json(folder / "tokenizer.json", lambda it: it["model"]["merges"].clear())
    with pytest.raises(ModelError, match="cuts a text otherwise"):
        compare(folder, tmp_path / "x.gguf", "f16", PROMPTS)


def change_json(path: Path, change: Any) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("config", lambda it: it.update(architectures=["BertForMaskedLM"]), "holds a BertForMas"),
        ("config", lambda it: it.update(sliding_window=64), "sliding window of 64"),
        ("config", lambda it: it["rope_parameters"].update(rope_type="llama3"), "llama3"),
        ("config", lambda it: it.update(hidden_act="gelu"), "activation gelu"),
        ("tokenizer", lambda it: it["model"].update(byte_fallback=True), "byte-level BPE"),
        ("tokenizer", lambda it: it.update(normalizer={"type": "Lowercase"}), "Lowercase"),
        ("tokenizer", lambda it: it["pre_tokenizer"]["pretokenizers"].pop(), "byte-level BPE"),
        (
            "tokenizer",
            lambda it: it["pre_tokenizer"]["pretokenizers"][0].update(individual_digits=False),
            "no name for",
        ),
        ("tokenizer", lambda it: it["added_tokens"][-1].update(id=9999), "more tokens"),
    ],
)
def test_what_gguf_has_no_words_for_is_refused(
    name: str, change: Any, said: str, tmp_path: Path
) -> None:
    folder = write_llama(tmp_path / "model")
    change_json(folder / f"{name}.json", change)
    with pytest.raises(ModelError, match=said) as caught:
        write_gguf(folder, tmp_path / "x.gguf")
    assert caught.value.fix
    assert not (tmp_path / "x.gguf").exists()


def test_numbers_too_large_for_half_precision_are_refused(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = write_llama(tmp_path / "model") / "model.safetensors"
    tensors = load_file(weights)
    tensors["model.layers.1.mlp.up_proj.weight"][3, 5] = 1e6
    save_file(tensors, weights)
    with pytest.raises(ModelError, match=r"up_proj\.weight holds numbers that are too large"):
        write_gguf(tmp_path / "model", tmp_path / "x.gguf")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that passes for a run that is done."""
    recipe = Recipe(task="text-generation")
    monkeypatch.setattr(exporting, "done_run", lambda name: (tmp_path / "a-run", recipe))
    write_llama(tmp_path / "a-run" / "model")
    return tmp_path / "a-run"


def test_a_run_s_model_is_taken_away_and_proved(run: Path, tmp_path: Path, cli: Any) -> None:
    said = cli("export", "last", tmp_path / "out", "--to", "gguf", "--json")
    assert said.code == 0, said.err
    assert json.loads(said.out)["same"] == 1
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["model-f16.gguf"]
    assert read_header(tmp_path / "out" / "model-f16.gguf").facts["general.name"] == "a-run"
    words = ("export", "last", tmp_path / "two", "--to", "gguf", "--quantization", "q8_0")
    assert "the likeliest token is the same at" in " ".join(cli(*words).out.split())


def test_a_classifier_is_refused_and_nothing_is_left(run: Path, tmp_path: Path, cli: Any) -> None:
    change_json(
        run / "model" / "config.json",
        lambda it: it.update(architectures=["LlamaForSequenceClassification"]),
    )
    said = cli("export", "last", tmp_path / "out", "--to", "gguf")
    assert said.code == 2
    assert "holds a LlamaForSequenceClassification" in said.error()
    assert sorted(path.name for path in tmp_path.iterdir() if "out" in path.name) == []


def test_a_quantization_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no quantization 'q4_k'"):
        exporting.export("last", "gguf", tmp_path / "out", quantization="q4_k")
    with pytest.raises(RunError, match="keras has no quantization"):
        exporting.export("last", "keras", tmp_path / "out", quantization="f16")
