"""Small conversations and pairs of answers, and a random model that they can be told to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer

from tiny_llama import write_llama

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
