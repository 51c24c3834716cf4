"""Activations computed again: the same losses, gradients and draws; and only where there is need."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tiny_chats import open_language, write_chat_model
from tiny_models import write_model
from training import open_backend, phase
from tunewright.backends.torch import checkpointing, embedding
from tunewright.errors import RecipeError

pytestmark = pytest.mark.usefixtures("one_thread")
LORA = {"method": "lora", "layers": "all", "rank": 3, "alpha": 6, "adapter_dropout": 0.2}
GIB = 1 << 30


@pytest.fixture(scope="module")
def writer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_chat_model(tmp_path_factory.mktemp("models") / "llama")


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("models") / "bert", "bert")


def gradients(backend: Any, asked: str, blocks: int) -> tuple[float, dict[str, torch.Tensor]]:
    """Loss and gradients of the second step: adapters begin at nothing."""
    assert backend.choose_checkpointing(asked, 8)[0] == asked
    caught: dict[str, torch.Tensor] = {}
    backend.start_phase(phase(blocks, learning_rate=1e-2))
    backend.settings = replace(backend.settings, clip=0.0)
    backend.train_step([np.arange(8)], rate=1.0, draw=1)
    backend.optimizer.step = lambda: caught.update(
        {n: p.grad.clone() for n, p in backend.model.named_parameters() if p.grad is not None}
    )
    loss, _ = backend.train_step([np.arange(8, 16)], rate=1.0, draw=2)
    return float(loss), caught


OPENED = {
    "language": lambda writer, bert: open_language(writer, adapt=LORA),
    "preference": lambda writer, bert: open_language(writer, task="preference", adapt=LORA),
    "whole": lambda writer, bert: open_language(writer),
    "classifier": lambda writer, bert: open_backend(bert, dropout=0.2),
}


@pytest.mark.parametrize("blocks", [1, 2])
@pytest.mark.parametrize("kind", OPENED)
def test_losses_and_gradients_are_the_same(
    kind: str, blocks: int, writer: Path, bert: Path
) -> None:
    """With dropout, whose draws must come again."""
    (kept_loss, kept), (again_loss, again) = (
        gradients(OPENED[kind](writer, bert), asked, blocks) for asked in ("off", "on")
    )
    assert again_loss == pytest.approx(kept_loss, abs=1e-6)
    assert kept.keys() == again.keys() != set()
    for name, gradient in kept.items():
        torch.testing.assert_close(again[name], gradient, rtol=1e-6, atol=1e-6)


def kept_by(backend: Any) -> int:
    backend.model.train()
    rows = np.arange(8)
    return checkpointing.bytes_kept(lambda rows: backend.call("train", rows), rows, backend.model)


def test_less_is_kept_for_the_way_back(writer: Path) -> None:
    backend = open_language(writer, adapt=LORA)
    before = kept_by(backend)
    backend.choose_checkpointing("on", 8)
    assert kept_by(backend) < before / 3


def test_what_a_step_keeps_is_foretold_within_a_quarter(writer: Path) -> None:
    backend = open_language(writer, adapt=LORA)
    need, _ = backend._activations(8)
    lengths = backend.parts["train"].inputs.lengths
    rows = np.argsort(-lengths)[:8]
    backend.model.train()
    kept = checkpointing.bytes_kept(lambda r: backend.call("train", r), rows, backend.model)
    assert need == pytest.approx(kept, rel=0.25)


def test_auto_computes_again_where_half_of_the_free_memory_would_be_taken(
    writer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert open_language(writer).choose_checkpointing("auto", 8)[0] == "off"
    monkeypatch.setattr(checkpointing, "free_bytes", lambda device: 1 << 20)
    chosen, why = open_language(writer, adapt=LORA).choose_checkpointing("auto", 8)
    assert chosen == "on"
    assert "activations of a step take" in why


def test_the_choice_is_of_need_and_room_alone(writer: Path) -> None:
    model = open_language(writer).model
    chosen = [checkpointing.choose("auto", model, need * GIB, 10 * GIB)[0] for need in (5, 6)]
    assert chosen == ["off", "on"]
    assert checkpointing.choose("auto", model, GIB, 4 * GIB)[1] == (
        "activations of a step take 1.0 GiB, and twice that is free"
    )
    assert checkpointing.choose("off", model, 0, 0) == ("off", "asked for")


def test_a_model_that_does_not_know_how_refuses(writer: Path) -> None:
    model = open_language(writer).model
    model.supports_gradient_checkpointing = False
    with pytest.raises(RecipeError, match=r"train\.checkpointing is on, which LlamaForCausalLM"):
        checkpointing.choose("on", model, 0, 0)
    chosen, why = checkpointing.choose("auto", model, 6 * GIB, 10 * GIB)
    assert (chosen, "cannot compute them again" in why) == ("off", True)


def test_a_step_is_as_large_as_its_largest_piece() -> None:
    lengths = np.array([10, 300, 40])
    assert checkpointing.tokens_at_once(lengths, 8, 1024) == 1024
    assert checkpointing.tokens_at_once(lengths, 2, 1024) == 600
    assert checkpointing.tokens_at_once(lengths, 8, 256) == 300
    assert checkpointing.tried_row(lengths) == 2
    assert checkpointing.tried_row(np.array([90, 80])) == 1


def test_a_large_table_is_looked_at_before_a_phase_trains_it(
    bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a real model, whose table is trained by its used rows alone."""
    monkeypatch.setattr(embedding, "SMALLEST", 1)
    monkeypatch.setattr(embedding, "MOST_USED", 1.0)
    backend = open_backend(bert)
    assert backend.tables
    assert backend.choose_checkpointing("auto", 8)[0] == "off"
