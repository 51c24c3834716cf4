"""A field of a row under the name that it has in the user's file."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from tunewright.data.table import Table

Columns = Mapping[str, tuple[str, bool]]
"""Part of a form → the column that it is in, and whether that holds lists or objects."""

_MESSAGE = re.compile(r"(?:input\.)?messages\[(\d+)\](.*)", re.DOTALL)
_SIDE = re.compile(r"(non_)?preferred_output(.*)", re.DOTALL)
_PART_OF_ROLE = {"system": "system", "user": "prompt", "assistant": "completion"}


def columns_of(parts: Mapping[str, str], table: Table) -> Columns:
    """What `own_field` needs of a table whose form has these parts."""
    return {part: (name, table.is_nested(name)) for part, name in parts.items()}


def own_field(field: str, canonical: str, columns: Columns) -> str:
    """The field of a canonical row, as the row's own file has it.

    >>> row = '{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":""}]}'
    >>> alpaca = {"prompt": ("instruction", False), "completion": ("output", False)}
    >>> own_field("messages[1].content", row, alpaca)
    'output'
    """
    if (side := _SIDE.fullmatch(field)) is not None:
        column = columns.get("rejected" if side[1] else "chosen")
        return field if column is None else _within(column, side[2])
    found = _MESSAGE.fullmatch(field)
    if "messages" in columns:
        name = columns["messages"][0]
        return field if "chosen" in columns else re.sub(r"^messages", name, field)
    if found is None:
        return field
    number, prompt = int(found[1]), columns.get("prompt")
    role = _role(canonical, number)
    if prompt is not None and prompt[1] and not (role == "system" and "system" in columns):
        return _within(prompt, f"[{number - ('system' in columns)}]{found[2]}")
    column = columns.get(_PART_OF_ROLE.get(role, ""))
    return field if column is None else column[0]


def _within(column: tuple[str, bool], rest: str) -> str:
    """The column; with the way on from there, where it holds lists or objects."""
    return f"{column[0]}{rest}" if column[1] else column[0]


def _role(canonical: str, number: int) -> str:
    row: Any = json.loads(canonical)
    messages = row.get("input", row).get("messages") or []
    message = messages[number] if number < len(messages) else None
    return str(message.get("role")) if isinstance(message, Mapping) else ""
