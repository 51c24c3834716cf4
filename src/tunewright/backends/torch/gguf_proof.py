"""Whether a GGUF file answers as the folder that it was written from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM

from tunewright.backends.folder import load_tokenizer, quiet
from tunewright.backends.torch.from_gguf import load_gguf
from tunewright.errors import ModelError

APART = {"f16": 0.005, "q8_0": 0.15}
"""How far scores may be off: root mean square, as a part of their standard deviation.

SmolLM2 of 135 million weights: 0 and 0.02 to 0.05; with rows in another order it is more than 1.
"""
PROMPTS = (
    "The capital of France is",
    "I bought this phone in  2019, and after three years it still",
    "def mean(values: list[float]) -> float:\n    return sum(values) /",
    "Der schnelle braune Fuchs springt über – 12,5 % höher; 東京は",
)


@dataclass(frozen=True)
class Compared:
    """The largest difference of a score, and at which share of the places the likeliest is the same."""

    apart: float
    same: float


def compare(
    folder: Path, file: Path, quantization: str, prompts: Sequence[str] = PROMPTS
) -> Compared:
    """Read both in float32 and let them score the same prompts, at every place.

    Raises:
        ModelError: tokens, chat template or scores differ.
    """
    tokenizer = load_tokenizer(folder)
    written, its_tokenizer = load_gguf(file)
    if its_tokenizer.chat_template != tokenizer.chat_template:
        raise _differs("has another chat template")
    with quiet():
        model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    apart, same = 0.0, []
    for prompt in prompts:
        ids = tokenizer(prompt)["input_ids"]
        if its_tokenizer(prompt)["input_ids"] != ids:
            raise _differs(f"cuts a text otherwise: {prompt[:60]!r}")
        with torch.inference_mode():
            here, there = (each(torch.tensor([ids])).logits for each in (model, written))
        off = ((here - there).square().mean().sqrt() / here.std()).item()
        if not off <= APART[quantization]:
            raise _differs(f"answers otherwise: scores are off by {off:.2g} of their spread")
        apart = max(apart, (here - there).abs().max().item())
        same.append((here.argmax(-1) == there.argmax(-1)).flatten())
    return Compared(apart, torch.cat(same).float().mean().item())


def _differs(how: str) -> ModelError:
    return ModelError(
        f"written as gguf the model {how}",
        fix="export to another form, or use the run's model folder as it is",
    )
