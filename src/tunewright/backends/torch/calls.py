"""Calls of a model on the rows of a run: their arguments, the precision, and what is in memory."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch import nn
from transformers import PreTrainedModel

from tunewright.backends.settings import Part
from tunewright.backends.torch.cut import Batch, scores_of
from tunewright.backends.torch.load import Loaded
from tunewright.backends.torch.mix_up import Mixture

EXACT_FP32 = 1e-4
EXACT_BF16 = 5e-2


class Calls:
    """Calls a model on rows of its parts.

    awake: whether the model is in training mode, as far as it is to be.
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
        self.bound = EXACT_BF16 if bf16 else EXACT_FP32  # of two ways to the same scores
        self.awake = False

    def batch(self, part: str, rows: np.ndarray) -> Batch:
        """The model's arguments."""
        arrays = self.parts[part].inputs.batch(rows)
        return {name: torch.from_numpy(each).to(self.device) for name, each in arrays.items()}

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
