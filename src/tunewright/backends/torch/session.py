"""Opens a model folder for training, once it is known what the rows look like."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch

from tunewright.backends.torch.adapters import AdapterSettings
from tunewright.backends.torch.calls import Part
from tunewright.backends.torch.classifier import StepSettings, TorchClassifier
from tunewright.backends.torch.device import (
    keep_freed_memory,
    pick_device,
    product_rate,
    set_threads,
)
from tunewright.backends.torch.load import (
    Loaded,
    load_classifier,
    load_tokenizer,
    longest_input,
    note_trained_length,
    read_config,
)
from tunewright.backends.torch.mapped import MappedWeights, map_weights
from tunewright.backends.torch.prefix import Room
from tunewright.backends.torch.tokens import Tokens, refuse_unknown_tokens, tokenize
from tunewright.cache import cache_folder
from tunewright.cores import usable_cores
from tunewright.data.rows import Rows
from tunewright.pretrained.weights import find_weights
from tunewright.recipe.schema import Adapt, Recipe

BF16_GAIN = 1.3
THREADS_GAIN = 1.1
GIB = 1 << 30
MEMORY_SHARE = 0.25  # of what is free
MEMORY_MOST = 8 * GIB


class TorchSession:
    """A model folder and its tokenizer, before a recipe is resolved."""

    def __init__(self, path: Path) -> None:
        keep_freed_memory()
        self.path = path
        self.device = pick_device()
        self.tokenizer = load_tokenizer(path)
        config = read_config(path)
        self.width = int(getattr(config, "hidden_size", 0) or getattr(config, "d_model", 0) or 512)
        self.longest_input = longest_input(config, self.tokenizer)
        self._tokens: dict[int, Tokens] = {}

    def lengths(self, rows: Rows) -> np.ndarray:
        """int64 (rows): tokens per row, up to what the model can read."""
        tokens = tokenize(self.tokenizer, rows.texts, rows.pairs, self.longest_input)
        self._tokens[id(rows)] = tokens
        return tokens.lengths

    def choose_threads(self) -> tuple[int, str]:
        """Processor threads, and why: half as many where more are not faster, measured."""
        cores = usable_cores()
        half = cores // 2
        if self.device.type != "cpu" or not half:
            return cores, f"this process may use {cores}"
        rates = {threads: self._rate_of(threads) for threads in (half, cores)}
        seen = " and ".join(f"{rate:.0f} GFLOP/s with {n}" for n, rate in rates.items())
        chosen = cores if rates[cores] > THREADS_GAIN * rates[half] else half
        return chosen, f"products run at {seen} here"

    def _rate_of(self, threads: int) -> float:
        set_threads(threads)
        return product_rate(self.width, torch.float32, self.device)

    def choose_precision(self) -> tuple[str, str]:
        """The precision whose matrix products run faster here, measured."""
        rates = {
            kind: product_rate(self.width, kind, self.device)
            for kind in (torch.float32, torch.bfloat16)
        }
        fp32, bf16 = rates[torch.float32], rates[torch.bfloat16]
        seen = f"products run at {bf16:.0f} GFLOP/s in bf16 and {fp32:.0f} in fp32 here"
        return ("bf16" if bf16 > BF16_GAIN * fp32 else "fp32"), seen

    def open(
        self, recipe: Recipe, labels: tuple[str, ...], parts: dict[str, tuple[Rows, np.ndarray]]
    ) -> tuple[TorchClassifier, Loaded]:
        """The model with its new head, and the rows as tokens.

        Args:
            recipe: resolved.
            parts: "train" and "validation" to (rows, label numbers).
        """
        train: Any = recipe.train
        set_threads(train.threads)
        room, mapped = self._room(train.cache)
        loaded = load_classifier(
            self.path,
            labels,
            seed=recipe.seed,
            attention_dropout=recipe.adapt.dropout == "model",
            mapped=mapped,
        )
        note_trained_length(loaded.model, train.max_length)
        tokens = {
            name: Part(self._cut(rows, train.max_length), numbers)
            for name, (rows, numbers) in parts.items()
        }
        for part in tokens.values():
            refuse_unknown_tokens(part.tokens, loaded.model)
        dropout = recipe.adapt.dropout
        settings = StepSettings(
            num_labels=len(labels),
            weight_decay=train.weight_decay,
            clip=train.clip,
            label_smoothing=train.label_smoothing,
            balanced=train.class_weights == "balanced",
            bf16=train.precision == "bf16",
            dropout=dropout if isinstance(dropout, float) else None,
            seed=recipe.seed,
            room=room,
            peak=product_rate(
                self.width,
                torch.bfloat16 if train.precision == "bf16" else torch.float32,
                self.device,
            ),
            width=self.width,
            layers=recipe.adapt.layers,
            adapters=_adapter_settings(recipe.adapt, recipe.seed),
            skip_not_finite=train.not_finite == "skip",
        )
        return TorchClassifier(loaded, tokens, settings, self.device), loaded

    def _room(self, cache: float | str) -> tuple[Room | None, MappedWeights | None]:
        """What kept activations may take, None for nothing; and the weights, if there is room."""
        if cache == "off":
            return None, None
        memory = min(MEMORY_MOST, int(MEMORY_SHARE * psutil.virtual_memory().available))
        disk = int(float(cache) * GIB)
        mapped = None
        # Transformers adds an adapter to the weights of its folder when it loads them
        adapted = (self.path / "adapter_config.json").is_file()
        if self.device.type == "cpu" and not adapted:
            mapped = map_weights(find_weights(self.path), cache_folder() / "weights", disk)
        taken = mapped.bytes_on_disk if mapped is not None else 0
        return Room(memory, disk - taken, cache_folder() / "activations"), mapped

    def _cut(self, rows: Rows, max_length: int) -> Tokens:
        known = self._tokens.get(id(rows))
        if known is not None and (max_length >= self.longest_input or known.longest <= max_length):
            return known
        return tokenize(self.tokenizer, rows.texts, rows.pairs, max_length)


def _adapter_settings(adapt: Adapt, seed: int) -> AdapterSettings | None:
    if not adapt.has_adapters:
        return None
    chosen: Any = adapt
    return AdapterSettings(
        method=chosen.method,
        rank=chosen.rank,
        alpha=chosen.alpha,
        dropout=chosen.adapter_dropout,
        seed=seed,
    )
