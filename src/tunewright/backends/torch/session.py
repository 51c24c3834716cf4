"""Opens a model folder for training, once it is known what the rows look like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import torch

from tunewright.backends.built import built_from
from tunewright.backends.chat_reader import ChatReader
from tunewright.backends.folder import note_trained_length
from tunewright.backends.session import LabelledRows, Session, faster_precision, room_for
from tunewright.backends.settings import Room, StepSettings, step_settings, step_settings_again
from tunewright.backends.tokens import TextReader
from tunewright.backends.torch import mean_block
from tunewright.backends.torch.calls import EXACT_BF16, EXACT_FP32
from tunewright.backends.torch.classifier import TorchClassifier
from tunewright.backends.torch.device import (
    keep_freed_memory,
    pick_device,
    product_rate,
    set_threads,
)
from tunewright.backends.torch.language import TorchLanguage
from tunewright.backends.torch.load import Loaded, load_classifier
from tunewright.backends.torch.load_language import let_rows_be_packed, load_language
from tunewright.backends.torch.mapped import MappedWeights, map_weights
from tunewright.backends.torch.preference import TorchPreference
from tunewright.backends.torch.training import TorchTraining
from tunewright.backends.torch.word_neighbours import neighbours
from tunewright.backends.views import free_words, views_of, with_views
from tunewright.cache import cache_folder
from tunewright.cores import usable_cores
from tunewright.data.augment.texts import Others
from tunewright.data.rows import Rows
from tunewright.errors import ModelError
from tunewright.pretrained.keras_files import MODEL_TYPE
from tunewright.pretrained.lexicon import fetch_synonyms
from tunewright.pretrained.weights import find_weights
from tunewright.recipe.schema import TASKS, UNLABELLED, Data, Reads, Recipe

THREADS_GAIN = 1.1


class TorchSession(Session):
    """See `Session`."""

    def __init__(
        self,
        path: Path,
        reads: Reads = "text",
        data: Data | None = None,
        new_tokens: Sequence[str] = (),
    ) -> None:
        keep_freed_memory()
        super().__init__(path, reads, data, new_tokens)
        if self.config.model_type == MODEL_TYPE:
            raise ModelError(
                f"{path} is a model of Keras, which backend torch cannot train",
                fix="write backend: keras",
            )
        self.device = pick_device()
        self._opened: tuple[str, TorchTraining] | None = None

    @property
    def can_read_mean(self) -> bool:
        """See `Session`."""
        return self.reads == "text" and mean_block.can_read_mean(self.config)

    @property
    def was_trained_on_mean(self) -> bool:
        """See `Session`."""
        return self.reads == "text" and mean_block.reads_mean(self.path, self.config)

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
        kinds = (torch.float32, torch.bfloat16)
        return faster_precision(*(product_rate(self.width, kind, self.device) for kind in kinds))

    def open(
        self, recipe: Recipe, labels: tuple[str, ...], parts: Mapping[str, LabelledRows]
    ) -> TorchTraining:
        """The model with its new head, and the rows as it takes them.

        Args:
            recipe: resolved.
            parts: "train" and "validation" to (rows, label numbers).
        """
        if not self.keeps_open:
            return self._open(recipe, labels, parts)
        alike = built_from(recipe)
        if self._opened is None or self._opened[0] != alike:
            self._opened = None  # there may be room for one
            made = self._open(recipe, labels, parts)
            made.keep_first()
            self._opened = (alike, made)
        else:
            made = self._opened[1]
            set_threads(cast("int", recipe.train.threads))
            made.begin_again(step_settings_again(made.settings, recipe))
        return made

    def _open(
        self, recipe: Recipe, labels: tuple[str, ...], parts: Mapping[str, LabelledRows]
    ) -> TorchTraining:
        train: Any = recipe.train
        set_threads(train.threads)
        if TASKS[recipe.task] in UNLABELLED:
            return self.open_language(recipe, parts)
        room, mapped = self._room(train.cache)
        loaded = load_classifier(
            self.path,
            labels,
            TASKS[recipe.task],
            self.reader,
            seed=recipe.seed,
            attention_dropout=recipe.adapt.dropout == "model",
            mapped=mapped,
            mean=recipe.adapt.pooling == "mean",
        )
        note_trained_length(loaded.model, train.max_length)
        inputs = self.inputs(parts, train.max_length, loaded.known_tokens)
        views = views_of(recipe.augment, recipe.seed)
        if views is not None:
            inputs["train"] = with_views(
                inputs["train"],
                rows := parts["train"][0],
                views,
                reader=self.reader,
                longest=train.max_length,
                others=self._others(views.methods, rows, loaded),
            )
        settings = self._settings(recipe, len(labels), room)
        return TorchClassifier(loaded, inputs, settings, self.device)

    def _others(self, methods: tuple[str, ...], rows: Rows, loaded: Loaded) -> dict[str, Others]:
        """The words that may stand in a word's place, for each of the methods that needs some."""
        found: dict[str, Others] = {}
        if "synonym" in methods:
            found["synonym"] = fetch_synonyms()
        if "neighbour" in methods and isinstance(self.reader, TextReader):
            table: Any = loaded.model.get_input_embeddings().weight
            found["neighbour"] = neighbours(self.reader.tokenizer, table, free_words(rows))
        return found

    def open_language(
        self, recipe: Recipe, parts: Mapping[str, LabelledRows]
    ) -> TorchLanguage | TorchPreference:
        """A language model: its frozen weights are in the run's precision if they stay so."""
        train: Any = recipe.train
        bf16 = train.precision == "bf16"
        loaded = load_language(
            self.path,
            cast("ChatReader", self.reader),
            seed=recipe.seed,
            attention_dropout=recipe.adapt.dropout == "model",
            kind=torch.bfloat16 if bf16 and recipe.adapt.has_adapters else torch.float32,
            quantization=recipe.adapt.quantization,
        )
        inputs = self.inputs(parts, train.max_length, loaded.known_tokens)
        model: Any = loaded.model
        model.to(self.device)
        let_rows_be_packed(model, bound=EXACT_BF16 if bf16 else EXACT_FP32)
        settings = self._settings(recipe, 0, room_for(train.cache))
        kind = TorchPreference if self.reads == "preference" else TorchLanguage
        return kind(loaded, inputs, settings, self.device)

    def _settings(self, recipe: Recipe, num_labels: int, room: Room | None) -> StepSettings:
        precision = torch.bfloat16 if recipe.train.precision == "bf16" else torch.float32
        return step_settings(
            recipe,
            num_labels=num_labels,
            room=room,
            peak=product_rate(self.width, precision, self.device),
            width=self.width,
        )

    def _room(self, cache: float | str) -> tuple[Room | None, MappedWeights | None]:
        """What kept activations may take, None for nothing; and the weights, if there is room."""
        room = room_for(cache)
        # Transformers adds an adapter to the weights of its folder when it loads them
        adapted = (self.path / "adapter_config.json").is_file()
        if room is None or self.device.type != "cpu" or adapted:
            return room, None
        mapped = map_weights(find_weights(self.path), cache_folder() / "weights", room.disk)
        taken = mapped.bytes_on_disk if mapped is not None else 0
        return replace(room, disk=room.disk - taken), mapped
