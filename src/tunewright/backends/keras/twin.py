"""The Transformers model that a Keras model comes from and goes back to."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from transformers import PreTrainedModel
from transformers.core_model_loading import revert_weight_conversion
from transformers.pytorch_utils import Conv1D

from tunewright.backends.answers import Answers
from tunewright.backends.folder import note_trained_length, quiet
from tunewright.backends.inputs import Reader
from tunewright.backends.keras.optimizer import Weight
from tunewright.backends.keras.ports import Port, weights_back
from tunewright.backends.settings import StepSettings
from tunewright.backends.torch import adapters as torch_adapters
from tunewright.backends.torch.blocks import Layout, find_layout
from tunewright.backends.torch.head import in_units, last_linear
from tunewright.backends.torch.load import Loaded, load_classifier
from tunewright.errors import ModelError
from tunewright.recipe.schema import Kind
from tunewright.train.phases import deepest

ANSWERS_WITHIN, ANSWERS_WITHIN_BF16 = 1e-4, 0.15


@dataclass(frozen=True)
class Pair:
    """The adapter beside a linear layer, with the numbers that it has now.

    Args:
        layer: its name.
        inputs_first: whether its weight is (in, out), as GPT-2 has it.
        down: A (rank, in). up: B (out, rank).
        down_name, up_name: of these in the model.
    """

    layer: str
    inputs_first: bool
    down: np.ndarray
    up: np.ndarray
    down_name: str
    up_name: str


@dataclass(frozen=True)
class Twin:
    """How the Transformers model is made; the same one each time.

    Args:
        path: the pre-trained folder.
        max_length: tokens at which rows are cut in training; None where none is.
    """

    path: Path
    labels: tuple[str, ...]
    kind: Kind
    reader: Reader
    seed: int
    attention_dropout: bool
    max_length: int | None

    def load(self) -> Loaded:
        """The folder's weights under a new head."""
        loaded = load_classifier(
            self.path,
            self.labels,
            self.kind,
            self.reader,
            seed=self.seed,
            attention_dropout=self.attention_dropout,
            mapped=None,
        )
        note_trained_length(loaded.model, self.max_length)
        return loaded

    def save(
        self,
        folder: Path,
        ports: tuple[Port, ...],
        answers: Answers,
        batch: Mapping[str, np.ndarray],
        scores: np.ndarray,
        *,
        settings: StepSettings,
        adapters: tuple[Weight, ...] = (),
    ) -> None:
        """Write a Transformers folder with the weights that the Keras model has now.

        Args:
            answers: how scores are in the units of the labels.
            batch, scores: real rows, and what the Keras model says of them.
            adapters: are added to the weights, and written alone as PEFT reads them.
        Raises:
            ModelError: the folder's model says something else.
        """
        loaded = self.load()
        put_weights(loaded.model, weights_back(ports, named_weights(loaded.model)))
        plain: AbstractContextManager[None] = nullcontext()
        if adapters:
            layout, _ = adapt(loaded, settings, batch)
            put_weights(loaded.model, {each.name: np.asarray(each.variable) for each in adapters})
            plain = torch_adapters.merged(loaded.model)
        last = last_linear(loaded.model, len(self.labels))
        with in_units(last, answers):
            with plain, quiet():
                refuse_other_answers(
                    loaded, batch, answers.in_units(scores), within=bound_of(settings)
                )
                loaded.model.save_pretrained(folder)
                self.reader.save(folder)
            if adapters:
                torch_adapters.save_adapter(loaded.model, layout, folder / "adapter")
        for file in folder.rglob("*.safetensors"):  # written for their owner alone
            shutil.copymode(folder / "config.json", file)


def adapt(
    loaded: Loaded,
    settings: StepSettings,
    batch: Mapping[str, np.ndarray],
    *,
    task: str = "SEQ_CLS",
) -> tuple[Layout, str]:
    """Put adapters on the Transformers model; the same ones each time.

    Args:
        batch: some rows, to see how the model is built. task: in PEFT's words.
    Returns:
        its parts, and one line that says what the adapters are.
    """
    model, chosen = loaded.model, settings.adapters
    if chosen is None:
        raise RuntimeError("adapt without adapters")
    layout = find_layout(model, {name: torch.from_numpy(array) for name, array in batch.items()})
    layout = torch_adapters.put_adapters(
        model, layout, deepest(settings.layers, layout.num_blocks), chosen, task=task
    )
    return layout, torch_adapters.news(model, layout, chosen)


def pairs_of(loaded: Loaded) -> list[Pair]:
    """Every adapter of the Transformers model."""
    from peft.tuners.lora import LoraLayer

    weights = named_weights(loaded.model)
    found = []
    for layer, module in loaded.model.named_modules():
        if isinstance(module, LoraLayer):
            inputs_first = isinstance(module.get_base_layer(), Conv1D)
            down, up = (f"{layer}.lora_{which}.{torch_adapters.NAME}.weight" for which in "AB")
            found.append(Pair(layer, inputs_first, weights[down], weights[up], down, up))
    return found


def named_weights(model: PreTrainedModel) -> dict[str, np.ndarray]:
    """Every weight of a Transformers model, by its name in a file: in memory it may have another."""
    return {name: tensor.numpy() for name, tensor in _as_in_a_file(model).items()}


def put_weights(model: PreTrainedModel, weights: Mapping[str, np.ndarray]) -> None:
    """The inverse of `named_weights`; weights that are not given stay as they are."""
    for name, tensor in _as_in_a_file(model).items():
        if name in weights:
            tensor.copy_(torch.from_numpy(weights[name]))


def _as_in_a_file(model: PreTrainedModel) -> dict[str, torch.Tensor]:
    """The weights themselves. Raises ModelError where a file keeps them in another form."""
    own = {name: tensor.detach() for name, tensor in model.state_dict().items()}
    found: dict[str, torch.Tensor] = revert_weight_conversion(model, dict(own))
    places = {tensor.data_ptr() for tensor in own.values()}
    if any(tensor.data_ptr() not in places for tensor in found.values()):
        raise ModelError(
            f"a {model.config.model_type} is kept in another form than it is computed in",
            fix="use backend torch",
        )
    return found


def bound_of(settings: StepSettings) -> float:
    """By which share of the largest score answers may differ from those of Transformers in fp32."""
    return ANSWERS_WITHIN_BF16 if settings.bf16 else ANSWERS_WITHIN


def refuse_other_answers(
    loaded: Loaded,
    batch: Mapping[str, np.ndarray],
    scores: np.ndarray,
    *,
    within: float = ANSWERS_WITHIN,
) -> None:
    """Raise ModelError where the Transformers model does not say the same of these rows.

    Args:
        batch: under the names of Transformers. scores: (rows, labels), before softmax.
        within: see `bound_of`.
    """
    loaded.model.eval()
    with torch.no_grad():
        given = {name: torch.from_numpy(array) for name, array in batch.items()}
        wanted = loaded.model(**given).logits.numpy()
    apart = float(np.abs(wanted - scores).max())
    if not apart <= within * max(1.0, float(np.abs(wanted).max())):
        raise other_answers(loaded, apart)


def other_answers(loaded: Loaded, apart: float) -> ModelError:
    """Why a model is refused whose scores differ by so much."""
    kind = loaded.model.config.model_type
    return ModelError(
        f"this {kind} answers otherwise in Keras than in Transformers: scores differ by {apart:.2g}",
        fix="use backend torch",
    )
