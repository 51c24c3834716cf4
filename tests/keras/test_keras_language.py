"""Language models on TensorFlow: the numbers of PyTorch, and a folder that writes the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("keras_hub")

from quick_run import only_run, run_words
from tiny_chats import chats, open_language, preferences, write_chat_model, write_lines
from training import phase
from tunewright.backends.keras.session import KerasSession
from tunewright.backends.torch.language_scorer import LanguageScorer
from tunewright.data.columns import find_columns
from tunewright.data.read import read_table
from tunewright.data.rows import build_rows
from tunewright.recipe.schema import Recipe

pytestmark = pytest.mark.usefixtures("one_thread")
Cli = Callable[..., Any]
LORA = {"method": "lora", "layers": "all", "rank": 3, "alpha": 6, "adapter_dropout": 0.0}
FAMILIES: dict[str, dict[str, Any]] = {
    "llama": {},
    "llama, untied": {"tie_word_embeddings": False},
    "qwen2": {},
    "gpt2": {"n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 512, "n_inner": 96},
}


def open_keras(folder: Path, **changes: Any) -> Any:
    def session(path: Path, reads: Any, data: Any) -> Any:
        return KerasSession(path, 1, reads, data)

    return open_language(folder, session=session, **changes)


def steps(backend: Any, count: int = 12) -> list[float]:
    backend.start_phase(phase(2))
    return [
        float(backend.train_step([np.arange(8) + 8 * (draw % 6)], rate=1.0, draw=draw)[0])
        for draw in range(count)
    ]


@pytest.mark.parametrize(
    "family",
    [name if name == "llama" else pytest.param(name, marks=pytest.mark.slow) for name in FAMILIES],
)
def test_answers_and_steps_are_those_of_torch_and_the_folder_says_the_same(
    family: str, tmp_path: Path
) -> None:
    folder = write_chat_model(tmp_path / "base", family.split(",")[0], **FAMILIES[family])
    torch_side, keras_side = open_language(folder, adapt=LORA), open_keras(folder, adapt=LORA)
    assert keras_side.num_blocks == 2
    np.testing.assert_allclose(
        keras_side.answers("validation"), torch_side.answers("validation"), rtol=1e-4
    )
    begun = [side.start_phase(phase(2)).trainable_parameters for side in (torch_side, keras_side)]
    assert begun[0] == begun[1]
    np.testing.assert_allclose(steps(keras_side), steps(torch_side), rtol=5e-3)
    keras_side.save_model(tmp_path / "model")
    recipe = Recipe.model_validate(
        {
            "task": "text-generation",
            "train": {"max_length": 512, "precision": "fp32", "threads": 1, "cache": "off"},
        }
    )
    table = read_table(write_lines(tmp_path / "rows.jsonl", chats(64)[48:]))
    texts = list(build_rows(table, find_columns(table)).texts)
    found = LanguageScorer(tmp_path / "model", folder, recipe).answers(texts)
    np.testing.assert_allclose(found, keras_side.answers("validation"), rtol=1e-3)
    config = json.loads((tmp_path / "model/adapter/adapter_config.json").read_text())
    assert (config["task_type"], config["modules_to_save"]) == ("CAUSAL_LM", [])


@pytest.mark.slow
def test_without_adapters_every_weight_learns_as_on_torch(tmp_path: Path) -> None:
    folder = write_chat_model(tmp_path / "base")
    torch_side, keras_side = open_language(folder), open_keras(folder)
    np.testing.assert_allclose(steps(keras_side, 6), steps(torch_side, 6), rtol=5e-3)


@pytest.mark.slow
def test_accumulating_changes_nothing(tmp_path: Path) -> None:
    folder = write_chat_model(tmp_path / "base")
    whole, parts = open_keras(folder, adapt=LORA), open_keras(folder, adapt=LORA)
    losses = []
    for side, rows in ((whole, [np.arange(8)]), (parts, list(np.arange(8)[:, None]))):
        side.start_phase(phase(2, learning_rate=1e-2))
        losses += [[float(side.train_step(rows, rate=1.0, draw=draw)[0]) for draw in range(3)]]
    np.testing.assert_allclose(*losses, rtol=1e-4)


def test_from_a_file_to_a_tested_model(cli: Cli, tmp_path: Path) -> None:
    folder = write_chat_model(tmp_path / "base")
    data = write_lines(tmp_path / "chats.jsonl", chats(60))
    words = run_words(data, folder, "backend=keras", "adapt.layers=top-1", "evaluate.answers=2")
    said = cli(*words, "--test")
    assert said.code == 0, said.err
    result = json.loads((only_run() / "result.json").read_text())
    assert result["test"]["loss"]["value"] < result["baselines"]["base"]["loss"]["value"]
    assert result["train"]["phases"][0]["cached"]


def test_preferences_are_refused(cli: Cli, tmp_path: Path) -> None:
    folder = write_chat_model(tmp_path / "base")
    data = write_lines(tmp_path / "pairs.jsonl", preferences(40))
    said = cli(*run_words(data, folder, "backend=keras"))
    assert said.code == 2
    assert "the task is preference, which backend keras does not have" in said.err


@pytest.mark.slow
def test_a_model_trained_in_bf16_is_saved(tmp_path: Path) -> None:
    folder = write_chat_model(tmp_path / "base")
    side = open_keras(folder, adapt=LORA, precision="bf16")
    steps(side, 2)
    side.save_model(tmp_path / "model")
    assert (tmp_path / "model" / "model.safetensors").is_file()
