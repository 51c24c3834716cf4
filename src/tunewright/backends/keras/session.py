"""Opens a Transformers folder for training with Keras."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tunewright.backends.keras import applications
from tunewright.backends.keras.adapters import put_adapters
from tunewright.backends.keras.classifier import KerasClassifier
from tunewright.backends.keras.framework import start
from tunewright.backends.keras.heads import head_of
from tunewright.backends.keras.language import KerasLanguage
from tunewright.backends.keras.language_twin import (
    LanguageTwin,
    refuse_other_words,
    without_labels,
)
from tunewright.backends.keras.model import build, build_language
from tunewright.backends.keras.training import KerasTraining
from tunewright.backends.keras.twin import (
    Twin,
    adapt,
    named_weights,
    pairs_of,
    refuse_other_answers,
)
from tunewright.backends.session import LabelledRows, Session, faster_precision, room_for
from tunewright.backends.settings import StepSettings, step_settings
from tunewright.cores import usable_cores
from tunewright.errors import ModelError, RecipeError
from tunewright.pretrained.keras_files import MODEL_TYPE
from tunewright.recipe.schema import TASKS, Data, Reads, Recipe

ROWS, MEASURE_S = 1024, 0.15


class KerasSession(Session):
    """See `Session`."""

    def __init__(
        self,
        path: Path,
        threads: int | None,
        reads: Reads = "text",
        data: Data | None = None,
    ) -> None:
        if reads == "preference":
            raise ModelError(
                "the task is preference, which backend keras does not have",
                fix="write backend: torch",
            )
        super().__init__(path, reads, data)
        if self.config.model_type != MODEL_TYPE:
            head_of(self.config.model_type)
        self.fw = start(threads)

    def choose_threads(self) -> tuple[int, str]:
        """Processor threads, and why; TensorFlow fixes them for the life of a process."""
        cores = usable_cores()
        return cores, f"this process may use {cores}"

    def choose_precision(self) -> tuple[str, str]:
        """The precision whose matrix products run faster here, measured."""
        return faster_precision(self._rate("float32"), self._rate("bfloat16"))

    def open(
        self, recipe: Recipe, labels: tuple[str, ...], parts: Mapping[str, LabelledRows]
    ) -> KerasTraining:
        """The model with its new head, and the rows as it takes them.

        Args:
            recipe: resolved.
            parts: "train" and "validation" to (rows, label numbers).
        """
        if recipe.adapt.has_adapters and self.reads == "image":
            raise RecipeError(
                f"adapt.method is {recipe.adapt.method}, which backend keras has for texts alone",
                fix="write adapt.method: full, or backend: torch",
            )
        if self.config.model_type == MODEL_TYPE:
            return self._open_application(recipe, labels, parts)
        if self.reads == "chat":
            return self._open_language(recipe, parts)
        train: Any = recipe.train
        twin = Twin(
            self.path,
            labels,
            TASKS[recipe.task],
            self.reader,
            recipe.seed,
            attention_dropout=recipe.adapt.dropout == "model",
            max_length=train.max_length,
        )
        loaded = twin.load()
        inputs = self.inputs(parts, train.max_length, loaded.known_tokens)
        settings = self._settings(recipe, len(labels))
        made = build(
            self.fw,
            loaded.model.config,
            named_weights(loaded.model),
            dropout=settings.dropout,
            attention_dropout=twin.attention_dropout,
            bf16=settings.bf16,
        )
        news = loaded.news
        if settings.adapters is not None:
            rows = inputs["train"].inputs
            _, told = adapt(loaded, settings, rows.batch(np.arange(min(2, len(rows)))))
            made = put_adapters(made, pairs_of(loaded), settings.adapters)
            news += f"; {told}"
        backend = KerasClassifier(
            made,
            inputs,
            settings,
            device_type=self._device_type(),
            save=partial(twin.save, settings=settings, adapters=made.adapters),
            news=news,
            parameters=loaded.model.num_parameters(),
        )
        if not settings.bf16:
            refuse_other_answers(loaded, *backend.first_answers())
        return backend

    def _open_language(self, recipe: Recipe, parts: Mapping[str, LabelledRows]) -> KerasLanguage:
        """A causal language model."""
        train: Any = recipe.train
        reader: Any = self.reader
        attention_dropout = recipe.adapt.dropout == "model"
        twin = LanguageTwin(self.path, reader, recipe.seed, attention_dropout)
        loaded = twin.load()
        inputs = self.inputs(parts, train.max_length, loaded.known_tokens)
        settings = self._settings(recipe, 0)
        made = build_language(
            self.fw,
            loaded.model.config,
            named_weights(loaded.model),
            dropout=settings.dropout,
            attention_dropout=attention_dropout,
            bf16=settings.bf16,
        )
        news = loaded.news
        if settings.adapters is not None:
            rows = inputs["train"].inputs
            batch = without_labels(rows.batch(np.arange(min(2, len(rows)))))
            _, told = adapt(loaded, settings, batch, task="CAUSAL_LM")
            made = put_adapters(made, pairs_of(loaded), settings.adapters)
            news += f"; {told}"
        backend = KerasLanguage(
            made,
            inputs,
            settings,
            device_type=self._device_type(),
            save=partial(twin.save, settings=settings, adapters=made.adapters),
            news=news,
            parameters=loaded.model.num_parameters(),
        )
        if not settings.bf16:
            refuse_other_words(loaded, *backend.first_answers())
        return backend

    def _open_application(
        self, recipe: Recipe, labels: tuple[str, ...], parts: Mapping[str, LabelledRows]
    ) -> KerasClassifier:
        """A picture model of Keras itself."""
        inputs = self.inputs(parts, None, 0)
        settings = self._settings(recipe, len(labels))
        made = applications.build(
            self.fw,
            self.path,
            len(labels),
            dropout=settings.dropout,
            seed=recipe.seed,
            bf16=settings.bf16,
        )
        new = sum(int(np.prod(each.shape)) for each in made.head.last.variables)
        return KerasClassifier(
            made,
            inputs,
            settings,
            device_type=self._device_type(),
            save=partial(
                applications.save, self.fw, self.path, labels, self.reader, bf16=settings.bf16
            ),
            news=f"new: scores ({new:,} weights), the head for these labels",
            parameters=sum(int(np.prod(port.variable.shape)) for port in made.ports),
        )

    def _settings(self, recipe: Recipe, num_labels: int) -> StepSettings:
        train: Any = recipe.train
        return step_settings(
            recipe,
            num_labels=num_labels,
            room=room_for(train.cache),
            peak=self._rate("bfloat16" if train.precision == "bf16" else "float32"),
            width=self.width,
        )

    def _device_type(self) -> str:
        return "cuda" if self.fw.tf.config.list_physical_devices("GPU") else "cpu"

    def _rate(self, kind: str) -> float:
        """GFLOP/s of the matrix products of a block as wide as the model, measured."""
        tf = self.fw.tf
        left = tf.ones((ROWS, self.width), kind)
        right = tf.ones((self.width, 4 * self.width), kind)
        tf.matmul(left, right)  # the first one also chooses how
        count, started = 0, time.perf_counter()
        while time.perf_counter() - started < MEASURE_S:
            tf.matmul(left, right).numpy()
            count += 1
        seconds = time.perf_counter() - started
        return count * 2 * ROWS * 4 * self.width**2 / seconds / 1e9
