"""Laws of language models: what is packed, learned and saved is what one row at a time would be."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional
from transformers import AutoModelForCausalLM

from tiny_chats import chats, open_language, preferences, write_chat_model, write_lines
from training import phase
from tunewright.backends.torch import adapters
from tunewright.backends.torch.language_scorer import LanguageScorer
from tunewright.backends.torch.load_language import let_rows_be_packed
from tunewright.data.columns import find_columns
from tunewright.data.read import read_table
from tunewright.data.rows import build_rows
from tunewright.errors import DataError, MergedOtherwiseError, ModelError
from tunewright.recipe.schema import Recipe

pytestmark = pytest.mark.usefixtures("one_thread")
LORA = {"method": "lora", "layers": "all", "rank": 3, "alpha": 6, "adapter_dropout": 0.0}
FAMILIES = {
    "llama": {},
    "mistral": {"sliding_window": 16},
    "qwen2": {},
    "qwen3": {"head_dim": 16},
    "gemma": {"head_dim": 16},
    "gpt2": {"n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 512},
    "gemma2": {"head_dim": 16, "final_logit_softcapping": 30.0, "attn_logit_softcapping": None},
    "granite": {"logits_scaling": 8.0},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_chat_model(tmp_path_factory.mktemp("models") / "llama")


def own_loss(folder: Path, inputs: Any, rows: np.ndarray) -> np.ndarray:
    """Summed nats of each row, by Transformers, one row at a time."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    found = []
    for row in rows.tolist():
        batch = {k: torch.from_numpy(v) for k, v in inputs.batch(np.array([row])).items()}
        labels = batch.pop("labels")
        with torch.no_grad():
            scores = model(**batch).logits[0, :-1].float()
        found.append(functional.cross_entropy(scores, labels[0, 1:], reduction="sum").item())
    return np.array(found)


@pytest.mark.parametrize("family", FAMILIES)
def test_packed_rows_cost_what_transformers_says_of_each_alone(family: str, tmp_path: Path) -> None:
    folder = write_chat_model(tmp_path / family, family, **FAMILIES[family])
    backend = open_language(folder, 12)
    found = backend.answers("train")
    inputs = backend.parts["train"].inputs
    np.testing.assert_allclose(found[:, 0], own_loss(folder, inputs, np.arange(12)), rtol=2e-5)
    assert found[:, 1].tolist() == [inputs.num_learned(np.array([row])) for row in range(12)]


def test_a_model_whose_attention_cannot_be_packed_is_refused(tmp_path: Path) -> None:
    folder = write_chat_model(tmp_path / "capped", "gemma2", head_dim=16)  # caps attention scores
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    model.config.attn_logit_softcapping = 1e-3
    for block in model.model.layers:
        block.self_attn.attn_logit_softcapping = 1e-3
    model.set_attn_implementation("eager")
    with pytest.raises(ModelError, match="rows cannot be packed for Gemma2ForCausalLM"):
        let_rows_be_packed(model, bound=1e-5)


def gradients(backend: Any, parts: list[np.ndarray]) -> dict[str, torch.Tensor]:
    """Of one step, as the optimizer is given them."""
    caught: dict[str, torch.Tensor] = {}
    backend.start_phase(phase(2))
    backend.settings = backend.settings.__class__(**{**backend.settings.__dict__, "clip": 0.0})
    backend.optimizer.step = lambda: caught.update(
        {n: p.grad.clone() for n, p in backend.model.named_parameters() if p.grad is not None}
    )
    backend.train_step(parts, rate=1.0, draw=1)
    return caught


@pytest.mark.parametrize("task", ["text-generation", "preference"])
def test_accumulating_one_by_eight_equals_eight_by_one(folder: Path, task: str) -> None:
    rows = np.arange(8)
    whole = gradients(open_language(folder, task=task, adapt=LORA), [rows])
    parts = gradients(open_language(folder, task=task, adapt=LORA), list(rows[:, None]))
    assert whole.keys() == parts.keys() != set()
    for name, gradient in whole.items():
        torch.testing.assert_close(parts[name], gradient, rtol=1e-4, atol=1e-7)


def test_gradients_are_those_of_the_mean_over_learned_tokens(folder: Path) -> None:
    rows = np.arange(6)
    backend = open_language(folder)
    found = gradients(backend, [rows])
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    model.get_input_embeddings().padding_idx = None  # it is the token that ends an answer
    inputs = backend.parts["train"].inputs
    batch = {k: torch.from_numpy(v) for k, v in inputs.batch(rows).items()}
    model(**batch).loss.backward()  # its mean is over learned tokens, too
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(found[name], parameter.grad, rtol=2e-3, atol=1e-5)


def test_two_answers_share_their_prompt_and_do_not_see_each_other(folder: Path) -> None:
    backend = open_language(folder, 9, task="preference")
    backend.ask_reference()
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    pairs = backend.parts["train"].inputs
    for row in range(9):
        prompt = pairs.prompt(row)
        for side, answer in enumerate(pairs.answers(row)):
            ids = torch.from_numpy(np.concatenate([prompt, answer]).astype(np.int64))[None]
            with torch.no_grad():
                shares = model(ids).logits[0].log_softmax(-1)
            own = shares[len(prompt) - 1 : -1].gather(1, ids[0, len(prompt) :, None]).sum()
            assert backend.reference["train"][row, side] == pytest.approx(own.item(), rel=2e-5)


@pytest.mark.parametrize("form", ["dpo", "ipo", "dpo-by-length"])
def test_the_first_loss_of_preferences_is_that_of_no_difference(folder: Path, form: str) -> None:
    backend = open_language(folder, task="preference", adapt=LORA, preference=form, beta=0.2)
    backend.start_phase(phase(2))
    loss, _ = backend.train_step([np.arange(8)], rate=1.0, draw=1)
    at_first = 6.25 if form == "ipo" else math.log(2)  # (1 / (2 · 0.2))²
    assert float(loss) == pytest.approx(at_first, rel=1e-4)
    before = backend.answers("train")[:, 2].mean()
    for draw in range(2, 8):
        backend.train_step([np.arange(48)], rate=1.0, draw=draw)
    after = backend.answers("train")
    assert after[:, 2].mean() < before
    assert (after[:, 0] > after[:, 1]).mean() > 0.9


def test_the_model_before_training_is_asked_when_training_begins(folder: Path) -> None:
    backend = open_language(folder, task="preference", adapt=LORA)
    assert backend.reference == {}  # looking at rows alone costs no pass over them
    backend.start_phase(phase(1))
    assert set(backend.reference) == {"train", "validation"}


@pytest.mark.parametrize("task", ["text-generation", "preference"])
def test_the_merged_model_answers_as_the_adapters_do(
    folder: Path, tmp_path: Path, task: str
) -> None:
    backend = open_language(folder, task=task, adapt=LORA)
    backend.start_phase(phase(2, learning_rate=1e-2))
    for draw in range(4):
        backend.train_step([np.arange(48)], rate=1.0, draw=draw)
    backend.save_model(tmp_path / "model")
    recipe = Recipe.model_validate(
        {
            "task": task,
            "train": {"max_length": 512, "precision": "fp32", "threads": 1, "cache": "off"},
        }
    )
    make = preferences if task == "preference" else chats
    table = read_table(write_lines(tmp_path / "rows.jsonl", make(64)[48:]))
    texts = list(build_rows(table, find_columns(table)).texts)
    found = LanguageScorer(tmp_path / "model", folder, recipe).answers(texts)
    np.testing.assert_allclose(found, backend.answers("validation"), rtol=1e-4, atol=1e-5)
    config = json.loads((tmp_path / "model/adapter/adapter_config.json").read_text())
    assert config["task_type"] == "CAUSAL_LM"
    assert config["modules_to_save"] == []


def test_a_row_that_cannot_be_judged_is_told_by_its_number_from_1(folder: Path) -> None:
    recipe = Recipe.model_validate(
        {
            "task": "text-generation",
            "train": {"max_length": 30, "precision": "fp32", "threads": 1, "cache": "off"},
        }
    )
    texts = [json.dumps(row) for row in chats(2)]
    texts.append(texts[0].replace("parcel", "parcel " * 40))
    with pytest.raises(DataError, match=r"^row 3 of those that are judged: .* longer than 30"):
        LanguageScorer(folder, folder, recipe).answers(texts)


def test_a_merge_that_went_wrong_is_refused(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = open_language(folder, adapt=LORA)
    backend.start_phase(phase(2, learning_rate=1e-2))
    backend.train_step([np.arange(48)], rate=1.0, draw=1)
    backend.save_model(tmp_path / "good")
    monkeypatch.setattr(adapters, "_merged_layer", lambda layer: layer.get_base_layer())
    with pytest.raises(MergedOtherwiseError, match="merged the model answers otherwise") as told:
        backend.save_model(tmp_path / "model")
    assert told.value.exit_code == 1
    assert (tmp_path / "model" / "adapter" / "adapter_model.safetensors").is_file()


def test_a_merge_in_bf16_has_the_room_of_bf16(folder: Path, tmp_path: Path) -> None:
    backend = open_language(folder, adapt=LORA, precision="bf16")
    backend.start_phase(phase(2, learning_rate=1e-2))
    backend.train_step([np.arange(48)], rate=1.0, draw=1)
    backend.save_model(tmp_path / "model")


def test_the_saved_adapter_is_read_by_peft(folder: Path, tmp_path: Path) -> None:
    from peft import PeftModel

    backend = open_language(folder, adapt=LORA)
    backend.start_phase(phase(2, learning_rate=1e-2))
    backend.train_step([np.arange(48)], rate=1.0, draw=1)
    backend.save_model(tmp_path / "model")
    base = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    adapted = PeftModel.from_pretrained(base, tmp_path / "model/adapter").eval()
    merged = AutoModelForCausalLM.from_pretrained(tmp_path / "model", dtype=torch.float32).eval()
    ids = torch.arange(20)[None]
    with torch.no_grad():
        torch.testing.assert_close(adapted(ids).logits, merged(ids).logits, rtol=1e-4, atol=1e-4)


def test_kept_states_of_packed_rows_change_nothing(folder: Path) -> None:
    top = LORA | {"layers": "top-1"}
    kept, computed = (open_language(folder, adapt=top, cache=room) for room in (1.0, "off"))
    ways = []
    for backend in (kept, computed):
        begun = backend.start_phase(phase(1), keep=True)
        assert begun.cached == (backend is kept)
        losses = [
            float(backend.train_step([rows], rate=1.0, draw=draw)[0])
            for draw, rows in enumerate(np.arange(48).reshape(-1, 8))
        ]
        ways.append([*losses, *backend.answers("validation").ravel()])
    np.testing.assert_allclose(*ways, rtol=1e-4)


def test_without_adapters_every_weight_learns(folder: Path) -> None:
    backend = open_language(folder)
    before = {n: p.detach().clone() for n, p in backend.model.named_parameters()}
    backend.start_phase(phase(2))
    backend.train_step([np.arange(8)], rate=1.0, draw=1)
    moved = {n for n, p in backend.model.named_parameters() if not torch.equal(p, before[n])}
    assert moved == set(before)


def test_scores_are_never_held_for_all_places_at_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = open_language(folder)
    held = []
    scores = backend.output.scores
    backend.output.scores = lambda states: held.append(len(states)) or scores(states)
    monkeypatch.setattr("tunewright.backends.torch.output.NUMBERS_AT_ONCE", 5 * 305)
    backend.start_phase(phase(2))
    backend.train_step([np.arange(8)], rate=1.0, draw=1)
    assert max(held) <= 5
    assert sum(held) == backend.amount(np.arange(8))
