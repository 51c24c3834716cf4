"""The causal language model of Transformers that a Keras model comes from and goes back to."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from tunewright.backends.chat_reader import ChatReader
from tunewright.backends.folder import quiet
from tunewright.backends.keras.language import places_of
from tunewright.backends.keras.optimizer import Weight
from tunewright.backends.keras.ports import Port, weights_back
from tunewright.backends.keras.twin import (
    ANSWERS_WITHIN,
    adapt,
    bound_of,
    named_weights,
    other_answers,
    put_weights,
)
from tunewright.backends.settings import StepSettings
from tunewright.backends.torch import adapters as torch_adapters
from tunewright.backends.torch.load import Loaded
from tunewright.backends.torch.load_language import load_language


@dataclass(frozen=True)
class LanguageTwin:
    """How the Transformers model is made; the same one each time.

    Args:
        path: the pre-trained folder.
    """

    path: Path
    reader: ChatReader
    seed: int
    attention_dropout: bool

    def load(self) -> Loaded:
        """The folder's weights, in fp32."""
        return load_language(
            self.path,
            self.reader,
            seed=self.seed,
            attention_dropout=self.attention_dropout,
            kind=torch.float32,
        )

    def save(
        self,
        folder: Path,
        ports: tuple[Port, ...],
        batch: Mapping[str, np.ndarray],
        scores: np.ndarray,
        *,
        settings: StepSettings,
        adapters: tuple[Weight, ...] = (),
    ) -> None:
        """Write a Transformers folder with the weights that the Keras model has now.

        Args:
            batch, scores: real rows, and what the Keras model says where they are learned.
            adapters: are added to the weights, and written alone as PEFT reads them.
        Raises:
            ModelError: the folder's model says something else.
        """
        loaded = self.load()
        put_weights(loaded.model, weights_back(ports, named_weights(loaded.model)))
        plain: AbstractContextManager[None] = nullcontext()
        if adapters:
            layout, _ = adapt(loaded, settings, without_labels(batch), task="CAUSAL_LM")
            put_weights(loaded.model, {each.name: np.asarray(each.variable) for each in adapters})
            plain = torch_adapters.merged(loaded.model)
        loaded.model.generation_config.eos_token_id = self.reader.stop_ids
        with plain, quiet():
            refuse_other_words(loaded, batch, scores, within=bound_of(settings))
            loaded.model.save_pretrained(folder)
            self.reader.save(folder)
        if adapters:
            alone = replace(layout, head=())
            torch_adapters.save_adapter(loaded.model, alone, folder / "adapter")
        for file in folder.rglob("*.safetensors"):  # written for their owner alone
            shutil.copymode(folder / "config.json", file)


def without_labels(batch: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What a model is given of a batch."""
    return {name: array for name, array in batch.items() if name != "labels"}


def refuse_other_words(
    loaded: Loaded,
    batch: Mapping[str, np.ndarray],
    scores: np.ndarray,
    *,
    within: float = ANSWERS_WITHIN,
) -> None:
    """Raise ModelError where the Transformers model does not say the same of these rows.

    Args:
        scores: (P, words), where learned tokens are foretold. within: see `bound_of`.
    """
    loaded.model.eval()
    with torch.no_grad():
        given = {n: torch.from_numpy(array) for n, array in without_labels(batch).items()}
        wanted = loaded.model(**given).logits.float().numpy()
    places, _ = places_of(batch)
    wanted = wanted[places[:, 0], places[:, 1]]
    apart = float(np.abs(wanted - scores).max())
    if not apart <= within * max(1.0, float(np.abs(wanted).max())):
        raise other_answers(loaded, apart)
