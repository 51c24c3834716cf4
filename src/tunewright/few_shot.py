"""Worked examples before a question: what the untouched model does when it is shown, not taught."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np

from tunewright.backends import open_language
from tunewright.backends.folder import read_config
from tunewright.backends.session import reader_for
from tunewright.data.chat.conversation import written
from tunewright.data.rows import Rows
from tunewright.evaluation.baselines import FittedBaseline, untouched
from tunewright.recipe.schema import TASKS, UNLABELLED, Recipe
from tunewright.train.batches import draw_key

NAME = "few-shot"
MOST = 4  # examples; every row is read with them, so each is paid for by every row
DRAWN = 64  # training rows that are looked at
SYSTEM = ("system", "developer")
Message = Mapping[str, Any]


class Counting(Protocol):
    """What knows how long rows are, as `inputs.Reader` does."""

    @property
    def longest_input(self) -> int | None:
        """Tokens that the model reads."""

    def whole_lengths(self, texts: Sequence[str], pairs: Sequence[str] | None) -> np.ndarray:
        """int64 (rows): tokens of each."""


@dataclass(frozen=True)
class Shots:
    """Examples, and how many of them fit before a row.

    Args:
        examples: the turns of each. lengths: tokens of each.
        reader: counts tokens of rows. room: tokens for examples and row together.
    """

    examples: tuple[list[dict[str, Any]], ...]
    lengths: tuple[int, ...]
    reader: Counting
    room: int

    def before(self, texts: Sequence[str]) -> list[str]:
        """Rows with as many examples as fit as their earlier turns, of which none is learned."""
        taken = np.cumsum(self.lengths)
        counts = [
            int(np.searchsorted(taken, self.room - length, side="right"))
            for length in self.reader.whole_lengths(texts, None).tolist()
        ]
        return [
            with_examples(text, self.examples[:count])
            for text, count in zip(texts, counts, strict=True)
        ]


def shots(train: Rows, base: Path, recipe: Recipe) -> Shots | str:
    """Examples drawn by the seed from the training rows; or why there are none.

    Args:
        base: the folder of the untouched model. recipe: resolved.
    """
    if (why := unfit(recipe)) is not None:
        return why
    reader = reader_for(base, read_config(base), "chat", recipe.data, recipe.adapt.new_tokens)
    return drawn_shots(train, recipe, reader)


def drawn_shots(train: Rows, recipe: Recipe, reader: Counting) -> Shots | str:
    """See `shots`: of rows whose tokens a reader counts, and of as many as it can read."""
    random = np.random.default_rng(draw_key(NAME, recipe.seed))
    drawn = [train.texts[int(row)] for row in random.permutation(len(train))[:DRAWN]]
    texts = [text for text in drawn if _turns(json.loads(text))]
    if not texts:
        return "no training row is a question and its answer alone"
    context = cast("int", reader.longest_input)
    lengths = reader.whole_lengths(texts, None)
    short = np.flatnonzero(lengths <= context // (2 * MOST))[:MOST]
    if not len(short):
        return f"no training row is short enough to be shown in {context:,} tokens"
    return Shots(
        tuple(_turns(json.loads(texts[row])) for row in short),
        tuple(lengths[short].tolist()),
        reader,
        context - min(recipe.evaluate.most_tokens, context // 4),
    )


def few_shot(shots: Shots, base: Path, recipe: Recipe) -> FittedBaseline:
    """The untouched model, judged by the tokens that all others are judged by."""
    whole = recipe.model_copy(
        update={"train": recipe.train.model_copy(update={"max_length": None})}
    )
    opened = untouched(lambda: _Shown(shots, open_language(base, base, whole)))
    return FittedBaseline(NAME, 0.0, 0, opened.answers)


@dataclass(frozen=True)
class _Shown:
    """A language model that is shown examples before it is asked."""

    shots: Shots
    model: Any

    def answers(self, texts: Sequence[str]) -> np.ndarray:
        found: np.ndarray = self.model.answers(self.shots.before(texts))
        return found


def with_examples(text: str, examples: Sequence[Sequence[Message]]) -> str:
    """A row whose conversation begins, after what the system says, with others.

    >>> row = '{"messages":[{"role":"user","content":"2+2?"}]}'
    >>> shown = [{"role": "user", "content": "1+1?"}, {"role": "assistant", "content": "2"}]
    >>> [turn["content"] for turn in json.loads(with_examples(row, [shown]))["messages"]]
    ['1+1?', '2', '2+2?']
    """
    row = json.loads(text)
    if not examples or not _asks(row):
        return text
    begun = [each for each in row["messages"] if each["role"] in SYSTEM]
    asked = [each for each in row["messages"] if each["role"] not in SYSTEM]
    earlier = [
        {**turn, "weight": 0} if turn["role"] == "assistant" else turn
        for turns in examples
        for turn in turns
    ]
    return written(row | {"messages": [*begun, *earlier, *asked]})


def unfit(recipe: Recipe) -> str | None:
    """Why no examples are shown, whatever the rows; None where nothing speaks against it."""
    if TASKS[recipe.task] not in UNLABELLED:
        return "this task writes no answers"
    if recipe.task == "preference":
        return "rewards are counted from the untouched model, whatever it is shown"
    if not recipe.evaluate.answers:
        return "evaluate.answers is 0: no answers are asked for"
    if recipe.data.learn == "all":
        return "data.learn is all: the examples would be judged too"
    if recipe.data.too_long == "cut":
        return "data.too_long is cut: the tokens that are judged would not be the same"
    return None


def _asks(row: Mapping[str, Any]) -> bool:
    """Whether examples can come before it: a system's words come first, and then a question."""
    roles = [each["role"] for each in row.get("messages", ())]
    asked = [role for role in roles if role not in SYSTEM]
    together = roles[len(roles) - len(asked) :] == asked
    return together and asked[:1] == ["user"]


def _turns(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Questions and answers in turn, without what the system says; none where there is more."""
    if not _asks(row) or row.get("tools"):
        return []
    turns = [each for each in row["messages"] if each["role"] not in SYSTEM]
    in_turn = all(
        each["role"] == ("user", "assistant")[place % 2] and not each.get("tool_calls")
        for place, each in enumerate(turns)
    )
    return turns if in_turn and len(turns) % 2 == 0 else []
