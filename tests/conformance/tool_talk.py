"""A tiny model whose template shows tools and calls, and conversations in which a tool is called."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer

from tiny_chats import write_chat_model

TEMPLATE = (
    "{% if tools %}{{ 'Tools: ' + (tools | tojson) + '\\n' }}{% endif %}{% for m in messages %}"
    "{{ '<|im_start|>' + m['role'] + '\\n' + (m['content'] or '') }}"
    "{% for c in m['tool_calls'] or [] %}{{ '<tool_call>\\n' + (c['function'] | tojson) + "
    "'\\n</tool_call>' }}{% endfor %}{{ '<|im_end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
TOOL: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "track",
        "description": "where a parcel is",
        "parameters": {
            "type": "object",
            "properties": {"parcel": {"type": "string"}},
            "required": ["parcel"],
        },
    },
}
ARGUMENTS = {"parcel": "A7"}
QUESTION: dict[str, Any] = {"role": "user", "content": "where is parcel A7?"}


def write_tool_model(path: Path) -> Path:
    """A random model of two blocks."""
    write_chat_model(path)
    tokenizer = AutoTokenizer.from_pretrained(path)
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(path)
    return path


def tool_talks(count: int) -> list[dict[str, Any]]:
    """Conversations that end in the same call."""
    function = {"name": "track", "arguments": json.dumps(ARGUMENTS)}
    call = {"id": "call_1", "type": "function", "function": function}
    said = {"role": "assistant", "tool_calls": [call]}
    asks = [dict(QUESTION, content=f"where is parcel A7{'?' * (1 + n % 3)}") for n in range(count)]
    return [{"messages": [asked, said], "tools": [TOOL]} for asked in asks]
