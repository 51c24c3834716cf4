"""Weights in 4 bits below adapters: they stay as they are, and what is saved says what was learned."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

if find_spec("bitsandbytes") is None:
    pytest.skip("needs the extra quantized", allow_module_level=True)

from tiny_chats import chats, open_language, preferences, write_chat_model, write_lines
from training import phase
from tunewright.backends.torch import four_bits
from tunewright.backends.torch.language_scorer import LanguageScorer
from tunewright.data.columns import find_columns
from tunewright.data.read import read_table
from tunewright.data.rows import build_rows
from tunewright.errors import RecipeError
from tunewright.recipe.refusals import refuse_quantization
from tunewright.recipe.schema import Recipe

pytestmark = pytest.mark.usefixtures("one_thread")
LORA = {"method": "lora", "rank": 3, "alpha": 6, "adapter_dropout": 0.0, "quantization": "4bit"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_chat_model(tmp_path_factory.mktemp("models") / "llama")


def learned(folder: Path, task: str, layers: str, **more: Any) -> Any:
    """A backend after four steps."""
    backend = open_language(folder, task=task, adapt=LORA | {"layers": layers}, **more)
    backend.start_phase(phase(2 if layers == "all" else 1, learning_rate=1e-2))
    for draw in range(4):
        backend.train_step([np.arange(48)], rate=1.0, draw=draw)
    return backend


@pytest.mark.parametrize("task", ["text-generation", "preference"])
@pytest.mark.parametrize("layers", ["all", "top-1"])
def test_the_saved_model_says_what_was_learned_on_four_bits(
    folder: Path, tmp_path: Path, task: str, layers: str
) -> None:
    backend = learned(folder, task, layers)
    before = backend.answers("validation")
    backend.save_model(tmp_path / "model")
    np.testing.assert_array_equal(backend.answers("validation"), before)
    train = {"max_length": 512, "precision": "fp32", "threads": 1, "cache": "off"}
    recipe = Recipe.model_validate({"task": task, "train": train})
    make = preferences if task == "preference" else chats
    table = read_table(write_lines(tmp_path / "rows.jsonl", make(64)[48:]))
    texts = list(build_rows(table, find_columns(table)).texts)
    found = LanguageScorer(tmp_path / "model", folder, recipe).answers(texts)
    if task == "text-generation":  # of pairs, rewards are counted from the whole base
        np.testing.assert_allclose(found, before, rtol=1e-4, atol=1e-5)
    saved = AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    assert not getattr(saved.config, "quantization_config", None)
    assert {type(each).__name__ for each in saved.modules()} >= {"Linear"}
    assert not any(four_bits.is_four_bit(each) for each in saved.modules())


def test_only_adapters_learn_and_weights_are_counted_whole(folder: Path) -> None:
    backend = open_language(folder, adapt=LORA | {"layers": "all"})
    whole = open_language(folder, adapt=LORA | {"layers": "all", "quantization": "none"})
    assert backend.parameters == whole.parameters
    before = {n: p.detach().clone() for n, p in backend.model.named_parameters()}
    backend.start_phase(phase(2, learning_rate=1e-2))
    backend.train_step([np.arange(48)], rate=1.0, draw=0)
    changed = {n for n, p in backend.model.named_parameters() if not torch.equal(p, before[n])}
    assert changed
    assert all("lora_" in name for name in changed)
    four = [n for n, p in before.items() if p.dtype == torch.uint8]
    assert len(four) == 14  # seven linear layers in each of two blocks


def test_kept_states_of_frozen_blocks_change_nothing(folder: Path) -> None:
    kept, computed = (learned(folder, "text-generation", "top-1", cache=c) for c in (1.0, "off"))
    np.testing.assert_allclose(
        kept.answers("validation"), computed.answers("validation"), rtol=1e-4
    )


@pytest.mark.parametrize(
    ("changes", "kind", "said"),
    [
        ({}, "one", "no language model is trained"),
        ({"adapt": {"method": "full", "quantization": "4bit"}}, "tokens", "method full does not"),
    ],
)
def test_where_it_cannot_be_it_is_refused(changes: dict[str, Any], kind: Any, said: str) -> None:
    recipe = Recipe.model_validate({"adapt": {"method": "lora", "quantization": "4bit"}} | changes)
    with pytest.raises(RecipeError, match=said):
        refuse_quantization(recipe, kind)
