"""Small conversations and pairs of answers, and a random model that they can be told to."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer

from tiny_llama import write_llama
from training import SETTINGS
from tunewright.backends.torch.session import TorchSession
from tunewright.data.columns import find_columns
from tunewright.data.labels import targets
from tunewright.data.read import read_table
from tunewright.data.rows import build_rows
from tunewright.recipe.schema import READS, TASKS, Recipe

TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] "
    "+ '<|im_end|>\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}"
    "{% endif %}"
)
THINGS = ("parcel", "refund", "invoice", "password", "delivery")


def chats(count: int) -> list[dict[str, Any]]:
    """Conversations of one question and one answer, of several lengths."""
    return [
        {
            "messages": [
                {"role": "user", "content": f"where is {THINGS[n % 5]} {n}?" + " please" * (n % 4)},
                {"role": "assistant", "content": f"the {THINGS[n % 5]} is here" + "!" * (n % 3)},
            ]
        }
        for n in range(count)
    ]


def preferences(count: int) -> list[dict[str, Any]]:
    """Pairs of answers, the polite one preferred."""
    return [
        {
            "prompt": f"where is {THINGS[n % 5]} {n}?",
            "chosen": f"the {THINGS[n % 5]} is here" + ", thank you" * (1 + n % 2),
            "rejected": "no" + "!" * (1 + n % 3),
        }
        for n in range(count)
    ]


def write_lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    """A JSONL file."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def write_chat_model(path: Path, kind: str = "llama", **changes: Any) -> Path:
    """A random model of two blocks with a chat template."""
    import torch

    write_llama(path, kind, dtype=torch.float32, max_position_embeddings=512, **changes)
    tokenizer = AutoTokenizer.from_pretrained(path)
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(path)
    return path


def open_language(
    folder: Path,
    count: int = 48,
    *,
    task: str = "text-generation",
    given: list[dict[str, Any]] | None = None,
    adapt: dict[str, Any] | None = None,
    data: dict[str, Any] | None = None,
    session: Callable[..., Any] = TorchSession,
    **train: Any,
) -> Any:
    """A backend over `count` rows to train on and a third of that to validate."""
    make = preferences if task == "preference" else chats
    rows = make(count + count // 3) if given is None else given
    recipe = Recipe.model_validate(
        {
            "task": task,
            "train": SETTINGS | {"max_length": 512} | train,
            "adapt": {"method": "full", "dropout": 0.0, **(adapt or {})},
            "data": data or {},
        }
    )
    parts = {}
    for part, some in (("train", rows[:count]), ("validation", rows[count:])):
        table = read_table(write_lines(folder / f"{part}.jsonl", some))
        found = build_rows(table, find_columns(table))
        parts[part] = (found, targets(found, (), TASKS[task]))
    given_tokens = [recipe.adapt.new_tokens] if recipe.adapt.new_tokens else []
    opened = session(folder, READS[task], recipe.data, *given_tokens)
    return opened.open(recipe, (), parts)
