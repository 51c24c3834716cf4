"""What a language model folder thinks of rows that are given, as it was measured in training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tunewright.backends.torch.language import TorchLanguage
from tunewright.backends.torch.preference import TorchPreference
from tunewright.backends.torch.session import TorchSession
from tunewright.data.rows import Rows
from tunewright.recipe.schema import READS, Recipe


class LanguageScorer:
    """Asked for the rows of a task without labels.

    Args:
        folder: of the model. base: of the model before training.
        recipe: resolved; says how rows are read.
    """

    def __init__(self, folder: Path, base: Path, recipe: Recipe) -> None:
        self.folder, self.base = folder, base
        plain = recipe.adapt.model_copy(update={"method": "full"})
        self.recipe = recipe.model_copy(update={"adapt": plain})

    def answers(self, texts: Sequence[str], pairs: Sequence[str] | None = None) -> np.ndarray:
        """See `Backend.answers`; rewards are counted from the base."""
        model = self._opened(self.folder, texts)
        if isinstance(model, TorchPreference) and self.folder != self.base:
            before = self._opened(self.base, texts)
            if isinstance(before, TorchPreference):
                before.ask_reference()
                model.reference = before.reference
        return model.answers("train")

    def _opened(self, folder: Path, texts: Sequence[str]) -> TorchLanguage:
        # the base knows new tokens as training began with them: both models read the same tokens
        new_tokens = self.recipe.adapt.new_tokens if folder == self.base else ()
        rows = Rows(
            texts=texts,
            pairs=None,
            labels=None,
            ids=[""] * len(texts),
            source="those that are judged",
            numbers=np.arange(1, len(texts) + 1),
            unit="row",
        )
        session = TorchSession(folder, READS[self.recipe.task], self.recipe.data, new_tokens)
        nothing = np.zeros(len(texts))
        return session.open_language(self.recipe, {"train": (rows, nothing)})
