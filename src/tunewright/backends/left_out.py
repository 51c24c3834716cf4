"""A template that leaves out, without a word, a part of what a row says."""

from __future__ import annotations

import json
from typing import Any

from tunewright.backends.chat_template import ChatTemplate
from tunewright.backends.conversation import Conversation, Message
from tunewright.errors import DataError

CALLS = {"tool_calls", "function_call"}
RESULTS = ("tool", "function")
Named = list[tuple[str, str]]


def refuse_left_out(template: ChatTemplate, conversation: Conversation, text: str) -> None:
    """Raise DataError unless every instruction, question, tool, call and result is in the text.

    Args:
        text: what the template makes of the conversation.
    """
    for number, message in enumerate(conversation.messages, start=1):
        content = str(message.get("content", "")).strip()
        if message["role"] in ("system", "developer", "user") and content not in text:
            _refuse(f"the {message['role']}'s message, number {number} of the row")
    if conversation.tools or any(map(_is_of_tools, conversation.messages)):
        _refuse_left_out_tools(template, conversation)


def _is_of_tools(message: Message) -> bool:
    return bool(CALLS & set(message)) or message["role"] in RESULTS


def _refuse_left_out_tools(template: ChatTemplate, conversation: Conversation) -> None:
    """By other names, which are looked for: a tool's own name may also be in what people say."""
    messages, tools = json.loads(json.dumps([conversation.messages, conversation.tools]))
    sought: Named = []
    for number, message in enumerate(messages, start=1):
        called = [call["function"] for call in message.get("tool_calls", ())]
        for function in [*called, message.get("function_call")]:
            if function is not None:
                _rename(function, "name", f"the call in message {number}", sought)
        if message["role"] in RESULTS:
            _rename(message, "content", f"the tool's answer, message {number},", sought)
    for tool in tools or ():
        _rename(tool.get("function", tool), "name", "the tool", sought)
    text = template.text(messages, tools)
    for name, what in sought:
        if name not in text:
            _refuse(what)


def _rename(where: dict[str, Any], key: str, what: str, sought: Named) -> None:
    name = f"sought{len(sought)}sought"
    sought.append((name, f"{what} {str(where.get(key))[:40]}"))
    where[key] = name


def _refuse(what: str) -> None:
    raise DataError(
        f"the chat template leaves out {what}",
        fix="set data.chat_template to a Jinja file that writes it, or take it out of the row",
    )
