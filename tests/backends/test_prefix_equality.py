"""Training the top half through the cut gives the losses of training it with the whole model.

In fp32 the two series are the same numbers, bit for bit: every layer above the cut receives the
very values it would receive from the layers below, in tensors of the same shapes, so the same
kernels run in the same order. No tolerance is needed as long as activations are read in the
batches in which they were computed; read in other batches, padding differs, and with it the
order of sums (`test_architectures.py` states the bound for that). Under bf16 autocast the same
holds; the stated tolerance covers a kept activation that passes through bf16.
"""

from __future__ import annotations

import contextlib

import pytest
import torch
from torch import nn
from torch.nn import functional

from tiny_zoo import (
    DECODERS,
    ENCODER_DECODERS,
    ENCODERS,
    SPEECH,
    VISION,
    ZOO,
    open_zoo,
    zoo_batches,
)
from training import phase
from tunewright.backends.torch.blocks import Layout, find_layout
from tunewright.backends.torch.cut import Cut
from tunewright.backends.torch.optimizer import make_optimizer

NUM_BATCHES = 5
BF16 = 5e-2
pytestmark = pytest.mark.usefixtures("one_thread")
LEFT_OUT = {"albert", "camembert", "ernie", "xlm-roberta"}  # repeats its block; same code as others
COMPARED = [name for name in ZOO if name not in LEFT_OUT]


def losses(
    name: str, steps: int, *, cut: bool, top: int | None = None, bf16: bool = False
) -> list[float]:
    """The loss of each step; batches come round again and again, dropout is off."""
    model = open_zoo(name)
    batches = list(zoo_batches(name, NUM_BATCHES))
    layout = find_layout(model, batches[0][0])
    top = layout.num_blocks // 2 if top is None else top
    optimizer = make_optimizer(model, layout, phase(top), weight_decay=0.01, tables={})
    precision = torch.autocast("cpu", torch.bfloat16) if bf16 else contextlib.nullcontext()
    with precision:
        place = proved(model, layout, top, batches[0][0]) if cut else None
        kept = [place.activations(batch) for batch, _ in batches] if place else []
    found = []
    for step in range(steps):
        batch, labels = batches[step % NUM_BATCHES]
        with precision, contextlib.ExitStack() as stack:
            if place:
                stack.enter_context(place.without_blocks())(kept[step % NUM_BATCHES])
            loss = functional.cross_entropy(model(**batch).logits.float(), labels)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        found.append(float(loss.detach()))
    return found


def proved(model: nn.Module, layout: Layout, top: int, batch: dict[str, torch.Tensor]) -> Cut:
    assert layout.uncut == ""
    place = Cut(model, layout.blocks, layout.highest_cut(layout.num_blocks - top))
    assert place.below >= 1
    assert place.prove(batch) <= 1e-4
    return place


def test_there_are_enough_architectures_of_every_kind() -> None:
    kinds = {
        "text encoders": (ENCODERS, 8),
        "decoders": (DECODERS, 5),
        "encoder-decoders": (ENCODER_DECODERS, 2),
        "vision": (VISION, 4),
        "speech": (SPEECH, 2),
    }
    for kind, (names, fewest) in kinds.items():
        assert len(set(names) & set(COMPARED)) >= fewest, kind
    assert len(COMPARED) >= 20


@pytest.mark.parametrize("name", COMPARED)
def test_the_losses_of_30_steps_are_the_same_numbers(name: str) -> None:
    through_cut = losses(name, 30, cut=True)
    assert through_cut == losses(name, 30, cut=False)
    assert len(set(through_cut)) > 20


@pytest.mark.slow
@pytest.mark.parametrize("name", COMPARED)
def test_the_losses_of_200_steps_are_the_same_numbers(name: str) -> None:
    assert losses(name, 200, cut=True) == losses(name, 200, cut=False)


@pytest.mark.parametrize("name", ["t5", "bart"])
@pytest.mark.parametrize("top", [1, 6])
def test_an_encoder_decoder_is_cut_within_its_encoder_or_at_its_end(name: str, top: int) -> None:
    """`top` 6 of 8 blocks cuts the encoder; 1 leaves frozen blocks of the decoder above the cut."""
    assert losses(name, 30, cut=True, top=top) == losses(name, 30, cut=False, top=top)


@pytest.mark.parametrize("name", ["bert", "llama", "vit"])
def test_the_losses_agree_in_bf16(name: str) -> None:
    through_cut = losses(name, 30, cut=True, bf16=True)
    assert through_cut == pytest.approx(losses(name, 30, cut=False, bf16=True), abs=BF16)
    assert through_cut != losses(name, 30, cut=True)
