"""The mean of what a text's tokens are to a model folder, as sentence encoders have it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from tunewright.backends.folder import first_line, quiet, read_config
from tunewright.backends.inputs import Inputs, sorted_batches
from tunewright.backends.session import reader_for
from tunewright.backends.tokens import TextReader
from tunewright.backends.torch.automatic import backbones
from tunewright.backends.torch.device import pick_device
from tunewright.errors import ModelError
from tunewright.train.passes import filled

BATCH_TOKENS = 4096


def mean_vectors(
    folder: Path, texts: Sequence[str], *, longest: int | None = None, blocks: int | None = None
) -> np.ndarray:
    """float32 (texts, width), in fp32, whatever head the folder has.

    Args:
        longest: tokens at which a text is cut; None for what the model can read.
        blocks: that a text goes through; None for all of them.
    Raises:
        ModelError: the folder is no model that gives each token a vector.
    """
    encoder = TorchEncoder(folder)
    return encoder.vectors(encoder.reader.read(texts, None, longest), blocks)


class TorchEncoder:
    """A folder that gives texts vectors.

    Raises:
        ModelError: as `mean_vectors`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.reader = cast("TextReader", reader_for(folder, read_config(folder), "text"))
        self.model = _opened(folder)
        self.width: int = self.model.config.hidden_size
        self.known_tokens: int = self.model.get_input_embeddings().num_embeddings

    def vectors(self, inputs: Inputs, blocks: int | None = None) -> np.ndarray:
        """float32 (rows, width): the mean of each row's tokens."""
        found = np.zeros((len(inputs.lengths), self.width), dtype=np.float32)
        for rows in sorted_batches(inputs.lengths, BATCH_TOKENS):
            batch = {
                name: torch.from_numpy(each).to(self.model.device)
                for name, each in inputs.batch(rows).items()
            }
            with torch.inference_mode():
                states = _states(self.folder, self.model, batch, blocks)
                weights = batch["attention_mask"].unsqueeze(-1).to(states.dtype)
                found[rows] = ((states * weights).sum(1) / weights.sum(1)).cpu().numpy()
        return filled(found)


def _states(
    folder: Path, model: Any, batch: dict[str, torch.Tensor], blocks: int | None
) -> torch.Tensor:
    """(rows, tokens, width)."""
    try:
        answer = model(**batch, output_hidden_states=blocks is not None)
        found: torch.Tensor = (
            answer.last_hidden_state if blocks is None else answer.hidden_states[blocks]
        )
    except Exception as error:  # noqa: BLE001 - whatever an unusual model makes it raise
        raise ModelError(
            f"{folder} gives no vectors of tokens: {first_line(error)}",
            fix="choose a model that reads texts",
        ) from None
    return found


def _opened(folder: Path) -> Any:
    with quiet():
        try:
            model: Any = backbones().from_pretrained(
                folder, use_safetensors=True, trust_remote_code=False, dtype=torch.float32
            )
        except Exception as error:  # noqa: BLE001 - whatever a broken folder makes it raise
            raise ModelError(
                f"{folder} cannot be loaded as a model of texts: {first_line(error)}",
                fix="pass a folder that save_pretrained wrote",
            ) from None
    if model.config.is_encoder_decoder:
        model = model.get_encoder()
    return model.to(pick_device()).eval()
