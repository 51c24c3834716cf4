"""Which columns hold conversations or pairs of answers, and how a row of them becomes one text."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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
ROLES = {
    **{"human": "user", "gpt": "assistant", "bing": "assistant", "chatgpt": "assistant"},
    **{"function_call": "assistant", "observation": "tool"},
}
"""ShareGPT's words for OpenAI's."""
SAMPLE_ROWS = 200
AT_ONCE = 256  # rows
MOSTLY = 0.5  # answers that differ: fewer, and they are labels


@dataclass(frozen=True)
class Form:
    """What a table of rows without labels is made of.

    Args:
        task: text-generation or preference. columns: part → column; reason: for people.
    """

    task: str
    columns: Mapping[str, str]
    reason: str

    def texts(self, table: Table) -> Iterator[str]:
        """Every row as one text, see `conversation`. What is wrong with it is kept as it is."""
        nested = {part: table.is_nested(name) for part, name in self.columns.items()}
        for start in range(0, len(table), AT_ONCE):
            some = table.arrow.select(sorted(set(self.columns.values()))).slice(start, AT_ONCE)
            for row in some.to_pylist():
                yield self._text(
                    {
                        part: _read(row[name]) if nested[part] else row[name]
                        for part, name in self.columns.items()
                    }
                )

    def _text(self, given: Mapping[str, Any]) -> str:
        if "text" in given:
            text = given["text"]
            return written({"text": text if isinstance(text, str) else ""})
        row = _preference(given) if self.task == "preference" else _conversation(given)
        return written(row)


def find_form(table: Table, task: str, named: Named) -> Form | None:
    """The form of a table, None where it is for another task.

    Args:
        task: as in the recipe. named: column, auto or null of each of COLUMNS, and of `text`.
    Raises:
        DataError: such a task is asked for, and no columns fit it.
    """
    if task not in ("auto", "text-generation", "preference"):
        return None
    asked = {part: name for part, name in named.items() if name not in ("auto", None)}
    free = {part for part in COLUMNS if named.get(part, "auto") == "auto"}
    if set(asked) & set(COLUMNS):
        return _asked_for(task, asked, free, table)
    plain = {name.strip().lower(): name for name in table.columns}
    form = _preferences(plain, table) or _chats(plain, table) or _pair(plain, table, task)
    if form is not None and task not in ("auto", form.task):
        form = None
    if task == "auto" or form is not None:
        return form
    text = asked.get("text") or plain.get("text") or plain.get("content")
    if task == "text-generation" and text is not None:
        return Form(task, {"text": text}, f"{text} holds plain texts")
    raise DataError(
        f"{table.source}: no column holds what {task} needs (found: {', '.join(table.columns)})",
        fix="name them, such as --data.columns.messages NAME, or --data.columns.prompt NAME "
        "--data.columns.completion NAME",
    )


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
    plain = {name.strip().lower(): name for name in table.columns}
    if "messages" in columns and "tools" in free and "tools" in plain:
        columns["tools"] = plain["tools"]
    return Form(found, columns, "named in the recipe")


def _preferences(plain: Mapping[str, str], table: Table) -> Form | None:
    if {"input", "preferred_output", "non_preferred_output"} <= set(plain):
        columns = {
            "messages": plain["input"],
            "chosen": plain["preferred_output"],
            "rejected": plain["non_preferred_output"],
        }
        return Form("preference", columns, "the columns of OpenAI's preference form")
    if not {"chosen", "rejected"} <= set(plain):
        return None
    columns = {part: plain[part] for part in ("prompt", "chosen", "rejected") if part in plain}
    if "prompt" not in plain:
        columns |= _first(plain, "messages", MESSAGES)
    if "prompt" not in columns and "question" in plain and "messages" not in columns:
        columns["prompt"] = plain["question"]
    return Form("preference", columns | _system(plain), "chosen and rejected are a pair of answers")


def _chats(plain: Mapping[str, str], table: Table) -> Form | None:
    columns = _first(plain, "messages", MESSAGES)
    if not columns or not table.is_nested(columns["messages"]):
        return None
    columns |= {part: plain[part] for part in ("tools",) if part in plain} | _system(plain)
    return Form("text-generation", columns, f"{columns['messages']} holds lists of messages")


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


def _conversation(given: Mapping[str, Any]) -> dict[str, Any]:
    """{"messages", …} of a row; what has another shape stays as it is."""
    if "messages" in given:
        row: dict[str, Any] = {"messages": _messages(given["messages"])}
    else:
        row = {"messages": [_user(given), _message(given.get("completion"), "assistant")]}
    _add_system(row, given)
    return row | {part: given[part] for part in ("tools",) if given.get(part)}


def _user(given: Mapping[str, Any]) -> dict[str, Any]:
    prompt, context = given.get("prompt"), given.get("context")
    if isinstance(context, str) and context.strip():
        prompt = f"{prompt}\n\n{context}"
    return {"role": "user", "content": prompt}


def _preference(given: Mapping[str, Any]) -> dict[str, Any]:
    chosen, rejected = (_answer(given[part]) for part in ("chosen", "rejected"))
    asked = given.get("messages", given.get("prompt"))
    row: dict[str, Any]
    if isinstance(asked, Mapping):
        row = dict(asked) | {"messages": _messages(asked.get("messages"))}
    elif asked is not None:
        row = {"messages": _messages(asked)}
    else:
        common = 0
        while common < min(len(chosen), len(rejected)) - 1 and chosen[common] == rejected[common]:
            common += 1
        row = {"messages": chosen[:common]}
        chosen, rejected = chosen[common:], rejected[common:]
    _add_system(row, given)
    return {"input": row, "preferred_output": chosen, "non_preferred_output": rejected}


def _add_system(row: dict[str, Any], given: Mapping[str, Any]) -> None:
    system = given.get("system")
    if isinstance(system, str) and system.strip() and isinstance(row["messages"], list):
        row["messages"] = [{"role": "system", "content": system}, *row["messages"]]


def _answer(value: Any) -> list[Any]:
    if isinstance(value, list):
        return [_message(each, "assistant") for each in value]
    return [_message(value, "assistant")]


def _messages(value: Any) -> Any:
    if isinstance(value, str):
        return [{"role": "user", "content": value}]
    return [_message(each, "user") for each in value] if isinstance(value, list) else value


def _message(value: Any, role: str) -> Any:
    """A message in OpenAI's words, in one order of keys."""
    if not isinstance(value, Mapping):
        return {"role": role, "content": value} if not isinstance(value, list) else value
    if "from" in value and "role" not in value:
        said = dict(value)
        name = said.pop("from")
        value = {"role": ROLES.get(name, name), "content": said.pop("value", None), **said}
    content = value.get("content")
    if isinstance(content, list) and all(_is_text(part) for part in content):
        value = {**value, "content": "".join(part["text"] for part in content)}
    first = {key: value[key] for key in ("role", "content") if key in value}
    return first | {key: value[key] for key in sorted(value) if key not in first}


def _is_text(part: Any) -> bool:
    return isinstance(part, Mapping) and part.get("type") == "text" and "text" in part
