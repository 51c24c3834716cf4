"""Answers that a language model writes: for a file of prompts, a pipe, or a conversation."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

from tunewright.backends import open_writer
from tunewright.data.chat.forms import COLUMNS, find_form
from tunewright.data.read import read_table
from tunewright.data.table import Table
from tunewright.errors import DataError, RecipeError, RunError
from tunewright.judging import done_run
from tunewright.recipe.schema import READS
from tunewright.ways import way_of

CHUNK_ROWS = 64
PROMPTS = ("prompt", "question", "instruction", "query", "text", "input")
Message = dict[str, Any]


def write(
    folder: Path,
    prompts: Iterable[tuple[Sequence[Message], Any]],
    *,
    most_tokens: int = 256,
    temperature: float = 0.0,
    seed: int = 0,
) -> Iterator[dict[str, Any]]:
    """An answer to each conversation.

    Args:
        folder: of a language model. prompts: messages, and the tools that may be called.
        most_tokens: of an answer. temperature: 0 for the likeliest token each time.
    Yields:
        {"prompt", "answer", "ended"} in the order of the prompts; the prompt is the last message,
        `ended` whether the answer came to an end by itself.
    Raises:
        RecipeError: nothing may be written, or the temperature is below 0.
    """
    if most_tokens < 1:
        raise RecipeError(f"{most_tokens} tokens are no answer", fix="write 1 or more, or leave it")
    if not 0 <= temperature < math.inf:
        raise RecipeError(
            f"the temperature is {temperature:g}", fix="write 0 for the likeliest token, or above"
        )
    yield from answers_of(
        _writer(folder.resolve()),
        prompts,
        most_tokens=most_tokens,
        temperature=temperature,
        seed=seed,
    )


def answers_of(
    writer: Any,
    prompts: Iterable[tuple[Sequence[Message], Any]],
    *,
    most_tokens: int = 256,
    temperature: float = 0.0,
    seed: int = 0,
) -> Iterator[dict[str, Any]]:
    """As `write`, by a model that is open: see `backends.open_writer`."""
    stream = iter(prompts)
    while chunk := list(islice(stream, CHUNK_ROWS)):
        texts = [writer.prompt(messages, tools) for messages, tools in chunk]
        found: list[dict[str, Any]] = [{} for _ in chunk]
        for row, answer, ended in writer.write(
            texts, most_tokens=most_tokens, temperature=temperature, seed=seed
        ):
            said = chunk[row][0][-1].get("content", "")
            found[row] = {"prompt": said, "answer": answer, "ended": ended}
        yield from found


def prompts_of(
    data: str | Path | None, *, text: str | None, lines: Iterable[str] | None
) -> Iterator[tuple[list[Message], Any]]:
    """What is to be answered: of conversations in a file, all before the last answer.

    Raises:
        DataError: the file has no prompts.
    """
    if text is not None:
        lines = [text]
    if lines is not None:
        for line in lines:
            yield [{"role": "user", "content": line}], None
        return
    if data is None:
        raise RunError("nothing to answer", fix="give a file, - for a pipe, or --text")
    table = read_table(data)
    form = find_form(table, "auto", dict.fromkeys(COLUMNS, "auto"))
    if form is not None:
        yield from (asked_of(json.loads(row)) for row in form.texts(table))
        return
    for value in table.arrow[_prompt_column(table)].to_pylist():
        yield [{"role": "user", "content": "" if value is None else str(value)}], None


def asked_of(row: Mapping[str, Any]) -> tuple[list[Message], Any]:
    """Messages before the last answer of a row, and the tools that may be called."""
    source = row.get("input", row)
    messages = list(source["messages"])
    while messages and messages[-1].get("role") == "assistant":
        messages.pop()
    return messages, source.get("tools")


def _prompt_column(table: Table) -> str:
    plain = {name.strip().lower(): name for name in table.columns}
    found = next((plain[name] for name in PROMPTS if name in plain), None)
    if found is None:
        raise DataError(
            f"{table.source} has no prompts (found: {', '.join(table.columns)})",
            fix=f"name a column {PROMPTS[0]}, or give conversations under messages",
        )
    return found


@dataclass
class Talk:
    """A conversation with a run's model, and with the model it was made from, beside each other.

    Args:
        folders: name → model folder. system: the first message, None for none.
    """

    folders: Mapping[str, Path]
    system: str | None = None
    most_tokens: int = 256
    temperature: float = 0.0
    seed: int = 0
    said: dict[str, list[Message]] = field(default_factory=dict)

    def answers(self, text: str) -> Iterator[tuple[str, str]]:
        """(name, answer) of each model, which knows its own earlier answers.

        Raises:
            DataError: the text says nothing.
        """
        if not text.strip():
            raise DataError("the message is empty", fix="say something: --text 'Good morning'")
        begun: list[Message] = [{"role": "system", "content": self.system}] if self.system else []
        for name, folder in self.folders.items():
            messages = self.said.setdefault(name, list(begun))
            messages.append({"role": "user", "content": text})
            (found,) = write(
                folder,
                [(messages, None)],
                most_tokens=self.most_tokens,
                temperature=self.temperature,
                seed=self.seed,
            )
            messages.append({"role": "assistant", "content": found["answer"]})
            yield name, found["answer"]


def chat(
    run: str | Path,
    *,
    system: str | None = None,
    most_tokens: int = 256,
    temperature: float = 0.0,
    seed: int = 0,
) -> Talk:
    """Talk to a run's model and to its base, with the same seed.

    Raises:
        RunError: the run has no model, or one that does not write.
    """
    folder, recipe = done_run(run)
    if READS[recipe.task] not in ("chat", "preference"):
        raise RunError(
            f"run {folder.name} is of {recipe.task}, whose model does not write",
            fix=f"ask it: tunewright predict {folder.name} --text TEXT",
        )
    base = way_of(recipe).base_of(folder, recipe)
    folders = {"base": base, "tuned": folder / "model"}
    return Talk(folders, system, most_tokens, temperature, seed)


@lru_cache(maxsize=2)
def _writer(folder: Path) -> Any:
    return open_writer(folder)
