"""Rows of two answers to one question, of which one is preferred."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from tunewright.backends.chat_template import OTHER_TEMPLATE
from tunewright.backends.chats import IGNORE, ChatTokens, joined
from tunewright.backends.learned import Marked
from tunewright.backends.too_long import Cut
from tunewright.errors import DataError


@dataclass(frozen=True, eq=False)
class PairTokens:
    """The rows of one part. Implements `Inputs`.

    Args:
        chosen, rejected: the question with each of its answers, of which the answer is learned.
        num_prompt: int64 (rows), tokens of the question; the two begin with the same ones.
    """

    chosen: ChatTokens
    rejected: ChatTokens
    num_prompt: np.ndarray

    are_ragged = True

    def __len__(self) -> int:
        return len(self.num_prompt)

    @cached_property
    def answer_lengths(self) -> np.ndarray:
        """int64 (rows, 2): learned tokens of the chosen answer, and of the rejected one."""
        return np.stack([self.chosen.row_learned, self.rejected.row_learned], axis=1)

    @property
    def lengths(self) -> np.ndarray:
        """int64 (rows): tokens of the question, once, and of both answers."""
        total: np.ndarray = self.num_prompt + self.answer_lengths.sum(axis=1)
        return total

    @property
    def ids(self) -> np.ndarray:
        """int32: every token of both."""
        return np.concatenate([self.chosen.ids, self.rejected.ids])

    def prompt(self, row: int) -> np.ndarray:
        """int32: the question's tokens."""
        first = self.chosen.starts[row]
        prompt: np.ndarray = self.chosen.ids[first : first + self.num_prompt[row]]
        return prompt

    def answers(self, row: int) -> tuple[np.ndarray, np.ndarray]:
        """int32: the tokens that are learned of the chosen answer, and of the rejected one."""
        return _learned(self.chosen, row), _learned(self.rejected, row)

    def num_learned(self, rows: np.ndarray) -> int:
        """Tokens of the answers of both."""
        return self.chosen.num_learned(rows) + self.rejected.num_learned(rows)

    def sha256(self) -> str:
        """See `Inputs`."""
        both = self.chosen.sha256() + self.rejected.sha256()
        return hashlib.sha256(both.encode() + self.num_prompt.tobytes()).hexdigest()

    def batch(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Padded arrays as of `ChatTokens.batch`, of twice the rows: all chosen, then all rejected."""
        chosen, rejected = self.chosen.batch(rows), self.rejected.batch(rows)
        fill = {"input_ids": self.chosen.padding, "attention_mask": 0, "labels": IGNORE}
        width = max(chosen["labels"].shape[1], rejected["labels"].shape[1])
        return {
            name: np.concatenate(
                [_widened(part[name], width, filling) for part in (chosen, rejected)]
            )
            for name, filling in fill.items()
        }


def paired(kept: Cut, rows: Sequence[Sequence[Marked]], longest: int, padding: int) -> PairTokens:
    """Rows as arrays.

    Args:
        kept: of the longer answer of each row.
        rows: of all: the question, and this with each of its answers.
        longest: tokens at which each is cut.
    """
    prompts, *halves = ([row[part].cut_at(longest) for row in rows] for part in range(3))
    chosen, rejected = (joined(replace(kept, rows=half), padding) for half in halves)
    return PairTokens(chosen, rejected, np.array([row.kept for row in prompts], dtype=np.int64))


def refuse_other_prompt(prompt: Marked, *answered: Marked) -> None:
    """Raise DataError unless the question's tokens begin the question with each answer."""
    for row in answered:
        if not np.array_equal(prompt.ids, row.ids[: len(prompt.ids)]):
            raise DataError(
                "the question ends within a token of its answer, so the two answers are not to "
                "the same tokens",
                fix=f"begin no answer with a space or a new line; or {OTHER_TEMPLATE}",
            )


def _learned(tokens: ChatTokens, row: int) -> np.ndarray:
    inside = slice(tokens.starts[row], tokens.starts[row + 1])
    learned: np.ndarray = tokens.ids[inside][tokens.learned[inside]]
    return learned


def _widened(array: np.ndarray, width: int, fill: int) -> np.ndarray:
    missing = width - array.shape[1]
    return np.pad(array, ((0, 0), (0, missing)), constant_values=fill)
