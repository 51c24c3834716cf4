"""The body of a request for a response, and the same wishes in the words of a chat completion."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from tunewright.serve.answers import ApiError
from tunewright.serve.bodies import Body
from tunewright.serve.replies.asked_fields import Sampling, StreamOptions
from tunewright.serve.replies.chat_fields import ChatBody, MetadataKey, MetadataValue

LIKELIHOODS = "message.output_text.logprobs"
GRANTED: dict[str, tuple[Any, ...]] = {
    "service_tier": ("auto", "default"),
    "truncation": ("disabled",),
    "reasoning": ({}, {"effort": "none"}),
    "background": (False,),
    "conversation": (),
    "prompt": (),
    "max_tool_calls": (),
    "context_management": (),
    "moderation": (),
    "prompt_cache_retention": (),
    "prompt_cache_options": (),
}
"""Known fields that are refused, and the values of them that ask for nothing."""


class TextFormat(Body):
    """`text.format`"""

    type: Literal["text", "json_object", "json_schema"]
    name: str | None = None
    description: str | None = None
    schema_: dict[str, Any] | None = Field(None, alias="schema")
    strict: bool | None = None


class Text(Body):
    """`text`"""

    format: TextFormat | None = None
    verbosity: Literal["medium"] | None = None


class FunctionTool(Body):
    """One of `tools`."""

    type: Literal["function"]
    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class NamedChoice(Body):
    """`tool_choice` that wants one function."""

    type: Literal["function"]
    name: str


class ResponseBody(Sampling):
    """`POST /v1/responses`"""

    input: str | list[Any]
    instructions: str | None = None
    previous_response_id: str | None = None
    max_output_tokens: int | None = Field(None, ge=1)
    text: Text | None = None
    tools: list[FunctionTool] | None = None
    tool_choice: Literal["auto", "none", "required"] | NamedChoice | None = None
    parallel_tool_calls: bool | None = None
    include: list[str] | None = None
    top_logprobs: int | None = Field(None, ge=0, le=20)
    store: bool | None = None
    metadata: dict[MetadataKey, MetadataValue] | None = Field(None, max_length=16)
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    service_tier: Any = None
    truncation: Any = None
    reasoning: Any = None
    background: Any = None
    conversation: Any = None
    prompt: Any = None
    max_tool_calls: Any = None
    context_management: Any = None
    moderation: Any = None
    prompt_cache_retention: Any = None
    prompt_cache_options: Any = None


def as_chat(body: ResponseBody, messages: list[Any]) -> ChatBody:
    """The same wishes.

    Raises:
        ApiError: `include` names what there is not.
    """
    wrong = [each for each in body.include or () if each != LIKELIHOODS]
    if wrong:
        raise ApiError(400, f"There is no '{wrong[0]}' to include here", "include", "invalid_value")
    told = body.top_logprobs is not None or LIKELIHOODS in (body.include or ())
    return ChatBody.model_validate(
        {
            "model": body.model,
            "messages": messages,
            "temperature": body.temperature,
            "top_p": body.top_p,
            "max_completion_tokens": body.max_output_tokens,
            "response_format": _format(body),
            "tools": [chat_tool(tool) for tool in body.tools or ()] or None,
            "tool_choice": _choice(body),
            "parallel_tool_calls": body.parallel_tool_calls if body.tools else None,
            "logprobs": told,
            "top_logprobs": body.top_logprobs,
        }
    )


def chat_tool(tool: FunctionTool) -> dict[str, Any]:
    """A tool as chat completions, and templates, have it."""
    function = tool.model_dump(exclude={"type", "strict"}, exclude_none=True)
    return {"type": "function", "function": function}


def _choice(body: ResponseBody) -> Any:
    if isinstance(body.tool_choice, NamedChoice):
        return {"type": "function", "function": {"name": body.tool_choice.name}}
    return body.tool_choice if body.tools or body.tool_choice == "required" else None


def _format(body: ResponseBody) -> dict[str, Any] | None:
    form = body.text.format if body.text is not None else None
    if form is None:
        return None
    if form.type != "json_schema":
        return {"type": form.type}
    if form.schema_ is None:
        raise ApiError(400, "text.format has no schema", "text.format.schema")
    schema = {"name": form.name or "answer", "schema": form.schema_}
    return {"type": "json_schema", "json_schema": schema}
