"""A chat completion on the wire: whole, or in chunks."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

from tunewright.serve.engine.wish import Told
from tunewright.serve.identifiers import new_id

LEAST = -9999.0
"""What the hosted service writes for a likelihood of nothing."""


class ChatAnswer:
    """What all parts of one completion share."""

    def __init__(self, model: str) -> None:
        self.model = model
        self.id, self.created = new_id("chat"), int(time.time())

    def whole(self, choices: Sequence[dict[str, Any]], usage: dict[str, Any]) -> dict[str, Any]:
        """The completion."""
        return {**self._head("chat.completion"), "choices": list(choices), "usage": usage}

    def chunk(
        self,
        delta: dict[str, Any] | None = None,
        *,
        index: int = 0,
        finish: str | None = None,
        logprobs: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """A part of a choice; without a delta a chunk of no choice."""
        choice = {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
        return {
            **self._head("chat.completion.chunk"),
            "choices": [] if delta is None else [choice],
        }

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}


def choice_of(
    index: int,
    content: str,
    finish: str,
    *,
    calls: Sequence[dict[str, Any]] = (),
    logprobs: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """One answer, whole."""
    message: dict[str, Any] = {
        "role": "assistant",
        "content": content if content or not calls else None,
        "refusal": None,
        "annotations": [],
    }
    if calls:
        message["tool_calls"] = list(calls)
    return {"index": index, "message": message, "logprobs": logprobs, "finish_reason": finish}


def call_of(call: dict[str, Any]) -> dict[str, Any]:
    """A call of a tool, with its arguments as text."""
    arguments = call["arguments"]
    if not isinstance(arguments, str):
        arguments = json.dumps({} if arguments is None else arguments, ensure_ascii=False)
    function = {"name": call["name"], "arguments": arguments}
    return {"id": new_id("call"), "type": "function", "function": function}


def usage_of(prompt: int, completion: int) -> dict[str, Any]:
    """Tokens that were read and written."""
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def logprobs_of(tokens: Sequence[Told]) -> dict[str, Any]:
    """Likelihoods of tokens."""
    content = [
        {**_token(each), "top_logprobs": [_token(other) for other in each.likeliest]}
        for each in tokens
    ]
    return {"content": content, "refusal": None}


def _token(told: Told) -> dict[str, Any]:
    logprob = max(told.logarithm, LEAST)
    return {"token": told.text, "logprob": logprob, "bytes": list(told.letters)}
