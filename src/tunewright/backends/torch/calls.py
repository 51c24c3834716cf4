"""Calls of a model on the rows of a run: their arguments, the precision, and what is in memory."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch import nn
from transformers import PreTrainedModel

from tunewright.backends.settings import Part
from tunewright.backends.tokens import Tokens
from tunewright.backends.torch.cut import Batch, scores_of
from tunewright.backends.torch.load import Loaded
from tunewright.backends.torch.mix_up import Mixture

EXACT_FP32 = 1e-4
EXACT_BF16 = 5e-2
EVEN_BF16 = 8
"""A batch's length is a multiple of it in bf16 on a processor: for each shape that it meets, oneDNN
compiles products and keeps them."""


class Calls:
    """Calls a model on rows of its parts.

    awake: whether the model is in training mode, as far as it is to be. even: of what the length of a
    batch of tokens is a multiple.
    """

    def __init__(
        self, loaded: Loaded, parts: Mapping[str, Part], device: torch.device, *, bf16: bool
    ) -> None:
        self.model: PreTrainedModel = nn.Module.to(loaded.model, device)
        self.reader = loaded.reader
        self.mapped = loaded.mapped
        self.parts = parts
        self.device = device
        self.bf16 = bf16
        self.even = EVEN_BF16 if bf16 and device.type == "cpu" else 1
        self.bound = EXACT_BF16 if bf16 else EXACT_FP32  # of two ways to the same scores
        self.awake = False

    def batch(self, part: str, rows: np.ndarray) -> Batch:
        """The model's arguments."""
        inputs = self.parts[part].inputs
        arrays = inputs.batch(rows)
        if isinstance(inputs, Tokens):
            arrays = {name: self._even(name, each, inputs.padding) for name, each in arrays.items()}
        return {name: torch.from_numpy(each).to(self.device) for name, each in arrays.items()}

    def more(self, length: int) -> int:
        """How much padding makes a batch of this length one of `even`, if the model can read it."""
        longest = self.reader.longest_input
        wanted = -length % self.even
        return wanted if longest is None else min(wanted, max(0, longest - length))

    def _even(self, name: str, array: np.ndarray, padding: int) -> np.ndarray:
        """An argument (rows, length) at an even length."""
        fill = padding if name == "input_ids" else 0
        return np.pad(array, ((0, 0), (0, self.more(array.shape[1]))), constant_values=fill)

    def scores(self, part: str, rows: np.ndarray) -> torch.Tensor:
        """(rows, labels), before softmax."""
        return scores_of(self.model, self.batch(part, rows))

    def mixed_scores(self, part: str, rows: np.ndarray, mixed: Mixture) -> torch.Tensor:
        """(rows, labels), before softmax, of pictures each mixed with its partner."""
        own, others = self.batch(part, rows), self.batch(part, mixed.rows)
        both = {name: torch.lerp(others[name], own[name], mixed.share) for name in own}
        return scores_of(self.model, both)

    def precision(self) -> contextlib.AbstractContextManager[object]:
        """Within, products run in the precision of the run."""
        if not self.bf16:
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, torch.bfloat16)

    def paging_out(self) -> contextlib.AbstractContextManager[None]:
        """Within, no more of the mapped weights is in memory than is in use."""
        return self.mapped.paging_out() if self.mapped is not None else contextlib.nullcontext()

    @contextlib.contextmanager
    def inference(self) -> Iterator[None]:
        """Within, nothing is dropped and no gradient is kept."""
        self.awake = False
        self.model.eval()
        with torch.no_grad(), self.precision(), self.paging_out():
            yield
