"""What is sent to train on: a file for each part of the run's own split, never of the sealed test."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tunewright.backends.openai.labelled import instruction_for, question
from tunewright.backends.openai.presets import FEWEST_EXAMPLES, known
from tunewright.data.chat.conversation import written
from tunewright.data.prepare import Prepared
from tunewright.data.rows import Rows
from tunewright.durable import replacing
from tunewright.errors import DataError
from tunewright.recipe.schema import TASKS, UNLABELLED, Recipe

BYTES_PER_TOKEN = (
    3  # of English four, of other languages fewer: rather too many tokens than too few
)
MESSAGE_TOKENS = 6
MOST_BYTES = 512 * 1024 * 1024


@dataclass(frozen=True)
class Sent:
    """The files of one run, on this machine.

    Args:
        tokens: of the training file, estimated; sha256: over both files.
    """

    train: Path
    validation: Path
    tokens: int
    sha256: str


def write_sent(folder: Path, prepared: Prepared, recipe: Recipe) -> Sent:
    """Write train.jsonl and validation.jsonl, checked by the rules of the service.

    Raises:
        DataError: the service would refuse the rows; the first one is named.
    """
    paths, tokens, digest = {}, {}, hashlib.sha256()
    for part, rows in (("train", prepared.train), ("validation", prepared.validation)):
        paths[part] = folder / f"{part}.jsonl"
        tokens[part] = 0
        with replacing(paths[part]) as file:
            for row, line in enumerate(lines_of(rows, recipe, prepared.labels)):
                count = tokens_of(line)
                _refuse_long(count, rows, row, recipe)
                tokens[part] += count
                content = line.encode() + b"\n"
                digest.update(content)
                file.write(content)
        _refuse_large(paths[part])
        digest.update(b"\0")
    if len(prepared.train) < FEWEST_EXAMPLES:
        raise DataError(
            f"{len(prepared.train)} rows are left to train on, and a service wants "
            f"{FEWEST_EXAMPLES} or more",
            fix="give more rows, or smaller shares in data.split",
        )
    return Sent(paths["train"], paths["validation"], tokens["train"], digest.hexdigest())


def lines_of(rows: Rows, recipe: Recipe, labels: Sequence[str]) -> Iterator[str]:
    """Each row as a line of JSON in the service's form.

    Args:
        labels: of text classification.
    Raises:
        DataError: a plain text, which asks for no answer.
    """
    if TASKS[recipe.task] not in UNLABELLED:
        told = recipe.service.instruction or instruction_for(labels)
        for row, label in enumerate(rows.labels or ()):
            pair = None if rows.pairs is None else rows.pairs[row]
            asked: list[dict[str, Any]] = [*question(rows.texts[row], pair, told)]
            yield written({"messages": [*asked, {"role": "assistant", "content": label}]})
        return
    for row, text in enumerate(rows.texts):
        content = json.loads(text)
        if "text" in content:
            raise DataError(
                f"{rows.place(row)} is a plain text, and a service trains on conversations",
                fix="give questions and answers; or write backend: torch",
            )
        yield written(_last_alone(content)) if recipe.data.learn == "last" else text


def _last_alone(row: dict[str, Any]) -> dict[str, Any]:
    """The row with the weight 0 on every answer but the last that counts."""
    if "messages" not in row:
        return row
    answers = [
        at
        for at, each in enumerate(row["messages"])
        if each["role"] == "assistant" and each.get("weight", 1)
    ]
    messages = [
        {**each, "weight": 0} if at in answers[:-1] else each
        for at, each in enumerate(row["messages"])
    ]
    return {**row, "messages": messages}


def tokens_of(line: str) -> int:
    """About how many tokens a line of JSON is, from its bytes."""
    return math.ceil(len(line.encode()) / BYTES_PER_TOKEN) + MESSAGE_TOKENS


def _refuse_long(tokens: int, rows: Rows, row: int, recipe: Recipe) -> None:
    most = known(recipe.service).most_tokens
    if tokens > most and recipe.data.too_long == "refuse":
        raise DataError(
            f"{rows.place(row)} has about {tokens:,} tokens, and the service reads {most:,}",
            fix="shorten it, or write data.too_long: cut to let the service cut its end off",
        )


def _refuse_large(path: Path) -> None:
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise DataError(
            f"{path.name} would be {size / 2**20:,.0f} MiB, and a service takes "
            f"{MOST_BYTES // 2**20} MiB",
            fix="train on fewer rows",
        )


@dataclass(frozen=True)
class RoughReader:
    """Counts tokens of rows from their bytes, where the model's tokenizer is not known here."""

    longest_input: int | None

    def whole_lengths(self, texts: Sequence[str], pairs: Sequence[str] | None) -> np.ndarray:
        """int64 (rows): about how many tokens each has."""
        return np.array([tokens_of(text) for text in texts], dtype=np.int64)
