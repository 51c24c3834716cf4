"""The body of a request for a chat completion."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from tunewright.serve.bodies import Body
from tunewright.serve.replies.asked_fields import Drawing

GRANTED: dict[str, tuple[Any, ...]] = {
    "modalities": (["text"],),
    "service_tier": ("auto", "default"),
    "audio": (),
    "prediction": (),
    "reasoning_effort": ("none",),
    "verbosity": ("medium",),
    "web_search_options": (),
    "functions": (),
    "function_call": (),
    "moderation": (),
    "prompt_cache_retention": (),
    "prompt_cache_options": (),
}
"""Known fields that are refused, and the values of them that ask for nothing."""
MetadataValue = Annotated[str, Field(max_length=512)]
MetadataKey = Annotated[str, Field(max_length=64)]


class Schema(Body):
    """A named JSON schema."""

    name: str = Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")
    description: str | None = None
    schema_: dict[str, Any] | None = Field(None, alias="schema")
    strict: bool | None = None


class Format(Body):
    """`response_format`"""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: Schema | None = None


class NamedFunction(Body):
    """Of `tool_choice`."""

    name: str


class NamedTool(Body):
    """`tool_choice` that wants one function."""

    type: Literal["function"]
    function: NamedFunction


class ChatBody(Drawing):
    """`POST /v1/chat/completions`"""

    messages: list[Any]
    max_tokens: int | None = Field(None, ge=1)
    max_completion_tokens: int | None = Field(None, ge=1)
    logprobs: bool | None = None
    top_logprobs: int | None = Field(None, ge=0, le=20)
    response_format: Format | None = None
    tools: list[Any] | None = None
    tool_choice: Literal["auto", "none", "required"] | NamedTool | None = None
    parallel_tool_calls: bool | None = None
    store: bool | None = None
    metadata: dict[MetadataKey, MetadataValue] | None = Field(None, max_length=16)
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    modalities: Any = None
    service_tier: Any = None
    audio: Any = None
    prediction: Any = None
    reasoning_effort: Any = None
    verbosity: Any = None
    web_search_options: Any = None
    functions: Any = None
    function_call: Any = None
    moderation: Any = None
    prompt_cache_retention: Any = None
    prompt_cache_options: Any = None
