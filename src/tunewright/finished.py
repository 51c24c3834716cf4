"""What `run` gives back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunewright.history.result import read_result


@dataclass(frozen=True)
class FinishedRun:
    """A run folder, and what it says."""

    folder: Path

    @property
    def result(self) -> dict[str, Any]:
        """result.json."""
        return read_result(self.folder)

    @property
    def report(self) -> Path:
        """The page to read."""
        return self.folder / "report.html"

    @property
    def model(self) -> Path:
        """The folder that `from_pretrained` loads."""
        return self.folder / "model"

    def predict(
        self, texts: str | Sequence[str], pairs: str | Sequence[str] | None = None
    ) -> list[Any]:
        """One {"label", "confidence"} for each text."""
        from tunewright.inference import answer

        one = isinstance(texts, str)
        return answer(
            self.model,
            [str(texts)] if one else texts,
            [str(pairs)] if isinstance(pairs, str) else pairs,
        )
