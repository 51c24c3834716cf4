"""Text classification as conversations: what a model is told, and which label an answer is.

N texts, C labels.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np

from tunewright.backends.openai.writer import ServedWriter
from tunewright.backends.served import NO_LABEL

LABEL_TOKENS = 32  # written at most, where a label is asked for
CHUNK_ROWS = 256


def instruction_for(labels: Sequence[str]) -> str:
    """What a model is told before each text, where the recipe does not say."""
    listed = "\n".join(f"- {label}" for label in labels)
    return f"Answer with the one label that fits the text, and nothing else. The labels:\n{listed}"


def question(text: str, pair: str | None, instruction: str) -> list[dict[str, str]]:
    """The messages that a label is asked with; the two texts of a pair stand apart."""
    said = text if pair is None else f"{text}\n\n{pair}"
    return [{"role": "system", "content": instruction}, {"role": "user", "content": said}]


def label_of(answer: str, labels: Sequence[str]) -> int | None:
    """Number of the label that an answer is; None for none.

    What stands around a label does not count, nor its case unless two differ in it alone.

    >>> label_of(" Late.", ("early", "late")), label_of("never", ("early", "late"))
    (1, None)
    """
    for known in (str, str.casefold):
        plain = [known(_bare(label)) for label in labels]
        if plain.count(known(_bare(answer))) == 1:
            return plain.index(known(_bare(answer)))
    return None


def _bare(text: str) -> str:
    return re.sub(r"^[\s\"'`*]+|[\s\"'`*.]+$", "", text)


@dataclass(frozen=True)
class ServedPredictor:
    """Answers texts with labels, as `backends.open_predictor` gives it.

    A service tells no shares: the label that is answered has all of it.
    """

    writer: ServedWriter
    answer: Any = field(default_factory=lambda: SimpleNamespace(kind="one"))

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, and at the end what stands for none of them."""
        return (*self.writer.served.labels, NO_LABEL)

    def answers(self, texts: Sequence[str], pairs: Sequence[str] | None = None) -> np.ndarray:
        """float64 (N, C + 1): 1 for the label that is answered, or for none of them."""
        rows = np.zeros((len(texts), len(self.labels)))
        for row, label in enumerate(self._labels_of(texts, pairs)):
            rows[row, len(self.labels) - 1 if label is None else label] = 1.0
        return rows

    def _labels_of(self, texts: Sequence[str], pairs: Sequence[str] | None) -> Iterator[int | None]:
        served = self.writer.served
        told = served.instruction or instruction_for(served.labels)
        for first in range(0, len(texts), CHUNK_ROWS):
            chunk = range(first, min(first + CHUNK_ROWS, len(texts)))
            prompts = [
                self.writer.prompt(question(texts[at], None if pairs is None else pairs[at], told))
                for at in chunk
            ]
            for _, answer, _ in self.writer.write(prompts, most_tokens=LABEL_TOKENS):
                yield label_of(answer, served.labels)
