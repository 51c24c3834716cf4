"""Which columns hold conversations or pairs of answers, and how a row of them becomes one text."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tunewright.data.chat.canonical import conversation_row, preference_row
from tunewright.data.chat.conversation import without_nulls, written
from tunewright.data.table import Table
from tunewright.errors import DataError

Named = Mapping[str, str | None]
COLUMNS = ("messages", "system", "prompt", "context", "completion", "chosen", "rejected", "tools")
"""What a column can be, as keys of `data.columns`."""
MESSAGES = ("messages", "conversations", "conversation")
PAIRS = (
    ("prompt", "completion"),
    ("prompt", "response"),
    ("prompt", "answer"),
    ("instruction", "output"),
    ("instruction", "response"),
    ("question", "answer"),
    ("question", "response"),
    ("query", "response"),
    ("input", "output"),
)
OPENAI = ("preferred_output", "non_preferred_output")
SAMPLE_ROWS = 200
AT_ONCE = 256  # rows
PARALLEL = "parallel_tool_calls"
LIKE = 0.85  # a mistyped key is; another word is not
MOSTLY = 0.5  # answers that differ: fewer, and they are labels


@dataclass(frozen=True)
class Form:
    """What a table of rows without labels is made of.

    Args:
        task: text-generation or preference. columns: part → column; reason: for people.
        beside: key → column of what OpenAI's rows have beside messages and tools, by its name.
        tools: as asked for, in any part: a part without any tool may lack the column.
    """

    task: str
    columns: Mapping[str, str]
    reason: str
    beside: Mapping[str, str] = field(default_factory=dict)
    tools: str | None = "auto"

    def texts(self, table: Table) -> Iterator[str]:
        """Every row as one text, see `conversation`. What is wrong with it is kept as it is."""
        parts = {**self.beside, **self.columns}
        nested = {part: table.is_nested(name) for part, name in parts.items()}
        for start in range(0, len(table), AT_ONCE):
            some = table.arrow.select(sorted(set(parts.values()))).slice(start, AT_ONCE)
            for row in some.to_pylist():
                yield self._text(
                    {
                        part: _read(row[name]) if nested[part] else _plain_value(part, row[name])
                        for part, name in parts.items()
                    }
                )

    def _text(self, given: Mapping[str, Any]) -> str:
        if "text" in given:
            return written({"text": "" if given["text"] is None else given["text"]})
        if self.task == "preference":
            return written(preference_row(given))
        return written(conversation_row(given, beside=tuple(self.beside)))


def find_form(table: Table, task: str, named: Named) -> Form | None:
    """The form of a table, None where it is for another task.

    Args:
        task: as in the recipe. named: column, auto or null of each of COLUMNS, and of `text`.
    Raises:
        DataError: such a task is asked for, and no columns fit it.
    """
    form = _find_form(table, task, named)
    return form and replace(form, tools=named.get("tools", "auto"))


def _find_form(table: Table, task: str, named: Named) -> Form | None:
    if task not in ("auto", "text-generation", "preference"):
        return None
    asked = {part: name for part, name in named.items() if name not in ("auto", None)}
    free = {part for part in COLUMNS if named.get(part, "auto") == "auto"}
    if set(asked) & set(COLUMNS):
        return _asked_for(task, asked, free, table)
    plain = _plain_names(table)
    if task == "text-generation" and "text" in asked:
        return Form(task, {"text": asked["text"]}, "named in the recipe")
    form = _preferences(plain, table) or _chats(plain, table, task) or _pair(plain, table, task)
    if form is not None and task not in ("auto", form.task):
        form = None
    if task == "auto" or form is not None:
        return form
    text = plain.get("text") or plain.get("content")
    if task == "text-generation" and text is not None:
        return Form(task, {"text": text}, f"{text} holds plain texts")
    raise DataError(
        f"{table.source}: no column holds what {task} needs (found: {', '.join(table.columns)})",
        fix="name them, such as --data.columns.messages NAME, or --data.columns.prompt NAME "
        "--data.columns.completion NAME",
    )


def _plain_names(table: Table) -> dict[str, str]:
    """Column names in lower case → as they are; one that is in lower case itself goes first."""
    plain = {name.strip().lower(): name for name in reversed(table.columns)}
    return plain | {name: name for name in table.columns if name in plain}


def _asked_for(task: str, asked: Mapping[str, str], free: set[str], table: Table) -> Form:
    """The form where the recipe names columns."""
    columns = {part: name for part, name in asked.items() if part in COLUMNS}
    found = "preference" if {"chosen", "rejected"} & set(columns) else "text-generation"
    needs = ("chosen", "rejected") if found == "preference" else ("messages",)
    if found != "preference" and "messages" not in columns:
        needs = ("prompt", "completion")
    missing = [part for part in needs if part not in columns]
    if missing or task not in ("auto", found):
        wanted = missing[0] if missing else ("chosen" if task == "preference" else "messages")
        raise DataError(
            f"columns are named for {', '.join(columns)}, but none for {wanted}",
            fix=f"pass --data.columns.{wanted} NAME (found: {', '.join(table.columns)})",
        )
    plain = _plain_names(table)
    if "completion" not in columns and "tools" in free and "tools" in plain:
        columns["tools"] = plain["tools"]
    return Form(found, columns, "named in the recipe", _beside(columns, plain, table))


def _preferences(plain: Mapping[str, str], table: Table) -> Form | None:
    if set(OPENAI) & set(plain) and not _mostly_chats(plain, table):
        missing = [name for name in ("input", *OPENAI) if name not in plain]
        if missing:
            raise DataError(
                f"{table.source}: no row has {' or '.join(missing)}, which preferences need "
                f"(found: {', '.join(table.columns)})",
                fix="add it, or pass --data.columns.messages NAME --data.columns.chosen NAME "
                "--data.columns.rejected NAME",
            )
        columns = {
            "messages": plain["input"],
            "chosen": plain["preferred_output"],
            "rejected": plain["non_preferred_output"],
        }
        return Form("preference", columns, "the columns of OpenAI's preference form")
    if not {"chosen", "rejected"} <= set(plain):
        return None
    parts = ("prompt", "chosen", "rejected", "tools")
    columns = {part: plain[part] for part in parts if part in plain}
    if "prompt" not in plain:
        columns |= _first(plain, "messages", MESSAGES)
    if "prompt" not in columns and "question" in plain and "messages" not in columns:
        columns["prompt"] = plain["question"]
    return Form("preference", columns | _system(plain), "chosen and rejected are a pair of answers")


def _mostly_chats(plain: Mapping[str, str], table: Table) -> bool:
    """Whether most rows have messages, and no answer that is preferred."""
    column = plain.get("preferred_output", plain.get("non_preferred_output", ""))
    return "messages" in plain and table.arrow[column].null_count > len(table) / 2


def _chats(plain: Mapping[str, str], table: Table, task: str) -> Form | None:
    """Conversations; where none of them is a list, only if nothing else can be meant."""
    columns = _first(plain, "messages", MESSAGES)
    if not columns:
        return None
    could = set(MESSAGES) | {"tools", "system", PARALLEL}
    nested = table.is_nested(columns["messages"])
    if not nested and task != "text-generation" and not set(plain) <= could:
        return None
    columns |= {part: plain[part] for part in ("tools",) if part in plain} | _system(plain)
    reason = f"{columns['messages']} holds lists of messages"
    return Form("text-generation", columns, reason, _beside(columns, plain, table))


def _beside(columns: Mapping[str, str], plain: Mapping[str, str], table: Table) -> dict[str, str]:
    """parallel_tool_calls of OpenAI's chats, and keys that were meant to be known ones.

    Other columns, such as ids and groups, are for others to read.
    """
    if plain.get("messages") != columns.get("messages") or "chosen" in columns:
        return {}
    keys = ("messages", "tools", PARALLEL)
    found = {PARALLEL: plain[PARALLEL]} if PARALLEL in plain else {}
    for name in table.columns:
        key = name.strip().lower()
        meant = key == "functions" or difflib.get_close_matches(key, keys, n=1, cutoff=LIKE)
        if meant and key not in (*keys, *COLUMNS) and name not in columns.values():
            found[name] = name
    return found


def _pair(plain: Mapping[str, str], table: Table, task: str) -> Form | None:
    for prompt, completion in PAIRS:
        if not {prompt, completion} <= set(plain):
            continue
        columns = {"prompt": plain[prompt], "completion": plain[completion]}
        if task == "auto" and not _differ(table, columns["completion"]):
            continue
        if prompt == "instruction" and "input" in plain:
            columns["context"] = plain["input"]
        reason = f"{columns['prompt']} and {columns['completion']} are a pair by name"
        return Form("text-generation", columns | _system(plain), reason)
    return None


def _first(plain: Mapping[str, str], part: str, names: Sequence[str]) -> dict[str, str]:
    return next(({part: plain[name]} for name in names if name in plain), {})


def _system(plain: Mapping[str, str]) -> dict[str, str]:
    return {"system": plain["system"]} if "system" in plain else {}


def _differ(table: Table, column: str) -> bool:
    """Whether values of a column are texts that are mostly different."""
    values = table.arrow[column].slice(0, SAMPLE_ROWS).to_pylist()
    texts = [value for value in values if isinstance(value, str) and value.strip()]
    return bool(texts) and len(set(texts)) > MOSTLY * len(values)


def _read(value: Any) -> Any:
    """Lists and objects that a table keeps as JSON, and those of Arrow."""
    return json.loads(value) if isinstance(value, str) else without_nulls(value)


def _plain_value(part: str, value: Any) -> Any:
    """A value of a column that holds neither lists nor objects; what stands for such is read.

    A table writes true as text where other rows have other than true and false.
    """
    if part == PARALLEL:
        return {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value
    if part not in ("messages", "tools") or not isinstance(value, str):
        return value
    if not value.lstrip().startswith(("[", "{")):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value
