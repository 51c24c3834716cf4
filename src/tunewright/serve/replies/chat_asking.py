"""From the fields of a chat completion to texts that a model writes."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

from tunewright.backends.conversation import Conversation
from tunewright.serve.answers import ApiError
from tunewright.serve.engine.call_stream import CallStream
from tunewright.serve.engine.engine import Engine, Tell
from tunewright.serve.engine.grammar import ANY_OBJECT
from tunewright.serve.engine.places import Place
from tunewright.serve.engine.speaker import Speaker
from tunewright.serve.engine.wish import Wish
from tunewright.serve.engine.writing import Writing
from tunewright.serve.replies.chat_fields import ChatBody, NamedTool

Calling = list[CallStream] | None


async def ask(
    engine: Engine, place: Place, body: ChatBody, asked: Conversation
) -> tuple[Writing, Calling]:
    """Have the answers written, and what finds the calls in each.

    Raises:
        ApiError: the model cannot do what is asked.
    """
    _refuse(body)
    calling: list[CallStream] = []

    def begin(speaker: Speaker, tell: Tell) -> list[Any]:
        prompt = speaker.prompt(asked.messages, asked.tools)
        grammar = _grammar(body, speaker)
        one = 1 if body.parallel_tool_calls is False else None
        if asked.tools:
            calling.extend(CallStream(speaker.call_form, one) for _ in range(body.n or 1))
        wishes = wishes_of(body, prompt, grammar)
        return speaker.begin(wishes, tell, param="messages", calls=bool(asked.tools))

    writing = await engine.write(place, begin)
    return writing, calling or None


def _forced(body: ChatBody) -> bool:
    """Whether an answer has to be a call."""
    return body.tool_choice not in (None, "auto", "none")


def _grammar(body: ChatBody, speaker: Speaker) -> Any:
    """What answers have to be; None where they may be anything."""
    if not _forced(body):
        form = _format(body)
        return speaker.grammar(*form) if form is not None else None
    tools = body.tools or []
    if isinstance(body.tool_choice, NamedTool):
        name = body.tool_choice.function.name
        tools = [tool for tool in tools if tool["function"]["name"] == name]
        if not tools:
            raise ApiError(400, f"There is no tool '{name}'", "tool_choice", "invalid_value")
    return speaker.forced_call(tools, "tool_choice")


def wishes_of(body: ChatBody, prompt: tuple[int, ...], grammar: Any) -> Sequence[Wish]:
    """One for each choice."""
    seed = secrets.randbits(63) if body.seed is None else body.seed & (2**64 - 1)
    most = body.max_tokens if body.max_completion_tokens is None else body.max_completion_tokens
    return [
        Wish(
            prompt,
            most_tokens=most,
            temperature=1.0 if body.temperature is None else body.temperature,
            top_p=1.0 if body.top_p is None else body.top_p,
            seed=seed,
            choice=choice,
            stops=body.stops,
            frequency_penalty=body.frequency_penalty or 0.0,
            presence_penalty=body.presence_penalty or 0.0,
            bias=body.logit_bias or {},
            told=(body.top_logprobs or 0) if body.logprobs else None,
            grammar=grammar,
        )
        for choice in range(body.n or 1)
    ]


def _format(body: ChatBody) -> tuple[dict[str, Any], str] | None:
    """The schema that answers must have, and the field that says so."""
    asked = body.response_format
    if asked is None or asked.type == "text":
        return None
    if asked.type == "json_object":
        return ANY_OBJECT, "response_format"
    if asked.json_schema is None:
        raise ApiError(400, "json_schema is missing", "response_format.json_schema")
    schema = asked.json_schema.schema_
    return (ANY_OBJECT if schema is None else schema), "response_format.json_schema.schema"


def _refuse(body: ChatBody) -> None:
    if body.tool_choice is not None and not body.tools:
        raise ApiError(400, "tool_choice without tools", "tool_choice", "invalid_value")
    if _forced(body) and _format(body) is not None:
        raise ApiError(400, "an answer is a call or has a format", "tool_choice", "invalid_value")
    if body.parallel_tool_calls is not None and not body.tools:
        raise ApiError(400, "parallel_tool_calls without tools", "parallel_tool_calls")
