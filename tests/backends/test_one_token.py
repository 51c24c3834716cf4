"""Leaving the other tokens out of the last block changes neither scores nor gradients."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from tiny_models import text_rows, write_model
from tiny_zoo import DECODERS, ENCODER_DECODERS, ENCODERS, open_zoo, zoo_batches
from training import open_backend, phase
from tunewright.backends.torch.blocks import find_layout
from tunewright.backends.torch.one_token import OneToken, leave_out_other_tokens

pytestmark = pytest.mark.usefixtures("one_thread")
TEXT = [*ENCODERS, *DECODERS, *ENCODER_DECODERS]
WITHOUT_BLOCKS = {"albert"}  # one block, called again and again
FLATTENED = {"opt"}  # its feed-forward layers see (rows × time, width)


def narrowed(model: nn.Module, name: str) -> OneToken | None:
    batch = next(iter(zoo_batches(name, 1)))[0]
    with torch.no_grad():
        return leave_out_other_tokens(model, find_layout(model, batch), batch, 1e-4)


def share(model: nn.Module, one: OneToken) -> float:
    """Of the numbers in the last block, those that are given one token."""
    layout = find_layout(model, next(iter(zoo_batches("bert", 1)))[0])
    inside = {id(p) for module in one.modules for p in module.parameters()}
    last = list(layout.blocks[-1].parameters())
    return sum(p.numel() for p in last if id(p) in inside) / sum(p.numel() for p in last)


@pytest.mark.parametrize("name", TEXT)
def test_scores_and_gradients_stay(name: str) -> None:
    plain, model = open_zoo(name), open_zoo(name)
    if name != "gemma2":  # which computes in fp32 whatever it is given
        plain, model = plain.double(), model.double()  # how a machine rounds is no fault
    one = narrowed(model, name)
    if name in WITHOUT_BLOCKS:
        assert one is None
        return
    assert one is not None
    assert one.reads == ("first" if name in ENCODERS else "last")
    assert share(model, one) > (0.2 if name in FLATTENED else 0.4)
    for batch, labels in list(zoo_batches(name, 4, rows=5))[1:]:
        scores = [each(**batch).logits for each in (plain, model)]
        assert torch.allclose(*scores, rtol=1e-4, atol=1e-5)
        for each in scores:
            functional.cross_entropy(each, labels).backward()
    for theirs, ours in zip(plain.parameters(), model.parameters(), strict=True):
        assert (theirs.grad is None) == (ours.grad is None)
        if theirs.grad is not None and ours.grad is not None:
            assert torch.allclose(theirs.grad, ours.grad, rtol=1e-3, atol=1e-5)


def test_a_head_that_reads_the_mean_gets_every_token() -> None:
    assert narrowed(open_zoo("modernbert", classifier_pooling="mean"), "modernbert") is None


def test_keys_and_values_are_of_every_token() -> None:
    model = open_zoo("bert")
    one = narrowed(model, "bert")
    attention = model.bert.encoder.layer[-1].attention.self
    assert one is not None
    assert any(module is attention.query for module in one.modules)
    assert not any(module in (attention.key, attention.value) for module in one.modules)


def test_it_can_be_taken_back() -> None:
    model = open_zoo("llama")
    batch = next(iter(zoo_batches("llama", 1)))[0]
    before = model(**batch).logits
    one = narrowed(model, "llama")
    assert one is not None
    one.remove()
    assert torch.equal(model(**batch).logits, before)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


@pytest.mark.parametrize(
    "adapt", [None, {"method": "lora", "rank": 2, "alpha": 4, "adapter_dropout": 0.0}]
)
@pytest.mark.parametrize("name", ["bert", "llama"])
def test_a_run_trains_the_weights_it_would_have_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, adapt: dict[str, Any] | None
) -> None:
    folder = write_model(tmp_path / name, name)
    ended: list[dict[str, torch.Tensor]] = []
    for narrow in (True, False):
        if not narrow:
            monkeypatch.setattr(
                "tunewright.backends.torch.classifier.leave_out_other_tokens", lambda *_: None
            )
        backend = open_backend(folder, 24, adapt=adapt)
        assert (backend.one_token is not None) == narrow
        backend.start_phase(phase(1))
        for step in range(3):
            backend.train_step([np.arange(8) + 8 * step], rate=1.0, draw=step)
        ended.append({n: p.detach().clone() for n, p in backend.model.named_parameters()})
    for parameter, value in ended[0].items():
        assert torch.allclose(value, ended[1][parameter], atol=1e-4), parameter


def test_rows_that_end_in_padding_of_their_own_get_every_token(tmp_path: Path) -> None:
    """A decoder's head looks for the last token that is no padding: it is not where we think."""
    folder = write_model(tmp_path / "llama", "llama")
    rows = [
        (f"{text} <|endoftext|> [SEP]" if not n else text, label)
        for n, (text, label) in enumerate(text_rows(32))
    ]
    assert open_backend(folder, 24).one_token is not None
    assert open_backend(folder, 24, rows=rows).one_token is None


def test_rows_of_one_token_have_no_others(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "llama", "llama")
    rows = [(text.split()[0], label) for text, label in text_rows(32)]
    backend = open_backend(folder, 24, rows=rows)
    assert backend.one_token is None
    backend.start_phase(phase(1))
    backend.train_step([np.arange(8)], rate=1.0, draw=0)
