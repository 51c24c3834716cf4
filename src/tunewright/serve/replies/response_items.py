"""Items that a response is asked with, or consists of, and the messages that they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tunewright.serve.answers import ApiError
from tunewright.serve.identifiers import new_id

TEXTS = ("input_text", "output_text", "text")
MESSAGE_KEYS = ("type", "role", "content", "id", "status", "phase")
CALL_KEYS = ("type", "id", "call_id", "name", "arguments", "status")
OUTPUT_KEYS = ("type", "id", "call_id", "output", "status")
Item = dict[str, Any]


def items_of(given: str | Sequence[Any]) -> list[Item]:
    """Input as items with ids."""
    if isinstance(given, str):
        given = [{"role": "user", "content": given}]
    return [_whole(item, f"input[{number}]") for number, item in enumerate(given)]


def _whole(item: Any, at: str) -> Item:
    if not isinstance(item, dict):
        raise ApiError(400, f"{at} is not an object", at, "invalid_value")
    kind = item.get("type", "message")
    if kind == "message":
        _refuse_keys(item, MESSAGE_KEYS, at)
        content = _parts(item.get("content"), item.get("role"), f"{at}.content")
        return {**item, "type": kind, "id": item.get("id") or new_id("message"), "content": content}
    if kind == "function_call":
        _refuse_keys(item, CALL_KEYS, at)
        return {**item, "id": item.get("id") or new_id("function_call")}
    if kind == "function_call_output":
        _refuse_keys(item, OUTPUT_KEYS, at)
        if not isinstance(item.get("output"), str):
            _parts(item.get("output"), "tool", f"{at}.output")
        return {**item, "id": item.get("id") or new_id("function_output")}
    raise ApiError(
        400,
        f"{at} is a '{kind}', and this server takes messages, function_call and "
        "function_call_output",
        f"{at}.type",
        "unsupported_value",
    )


def _refuse_keys(item: Item, known: Sequence[str], at: str) -> None:
    if not isinstance(item.get("id"), str | None):
        raise ApiError(400, f"{at}.id is no text", f"{at}.id", "invalid_value")
    for key, value in item.items():
        if key not in known and value is not None:
            raise ApiError(
                400, f"Unknown parameter: '{at}.{key}'", f"{at}.{key}", "unknown_parameter"
            )


def _parts(content: Any, role: Any, at: str) -> list[Item]:
    if isinstance(content, str):
        return [{"type": "output_text" if role == "assistant" else "input_text", "text": content}]
    for number, part in enumerate(content if isinstance(content, list) else [None]):
        if not _is_text(part):
            where = f"{at}[{number}]" if isinstance(content, list) else at
            raise ApiError(400, f"{where} is no text", where, "unsupported_value")
    found: list[Item] = content
    return found


def _is_text(part: Any) -> bool:
    return (
        isinstance(part, dict) and part.get("type") in TEXTS and isinstance(part.get("text"), str)
    )


def messages_of(items: Sequence[Item], instructions: str | None) -> list[Item]:
    """What a chat completion would be asked with."""
    begun: list[Item] = [{"role": "system", "content": instructions}] if instructions else []
    messages = begun
    for item in items:
        if item["type"] == "message":
            text = _joined(item["content"])
            messages.append({"role": item.get("role"), "content": text})
        elif item["type"] == "function_call":
            _add_call(messages, item)
        else:
            output = item["output"]
            text = output if isinstance(output, str) else _joined(output)
            messages.append({"role": "tool", "tool_call_id": item.get("call_id"), "content": text})
    return messages


def _add_call(messages: list[Item], item: Item) -> None:
    """To the assistant's message before it, if there is one."""
    function = {"name": item.get("name"), "arguments": item.get("arguments")}
    call = {"id": item.get("call_id"), "type": "function", "function": function}
    if messages and messages[-1]["role"] == "assistant":
        messages[-1].setdefault("tool_calls", []).append(call)
    else:
        messages.append({"role": "assistant", "content": None, "tool_calls": [call]})


def _joined(parts: Sequence[Item]) -> str:
    return "".join(part["text"] for part in parts)


def message_item(identifier: str, text: str, logprobs: Sequence[Item], status: str) -> Item:
    """What the model said."""
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": list(logprobs)}
    return {
        "id": identifier,
        "type": "message",
        "role": "assistant",
        "status": status,
        "content": [part],
    }


def call_item(call: Item) -> Item:
    """A call, from that of a chat completion."""
    return {
        "id": new_id("function_call"),
        "type": "function_call",
        "call_id": call["id"],
        "status": "completed",
        **call["function"],
    }
