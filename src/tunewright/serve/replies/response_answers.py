"""A response on the wire: whole, or in events."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any

from pydantic import BaseModel

from tunewright.serve.identifiers import new_id
from tunewright.serve.replies.event_stream import event
from tunewright.serve.replies.response_items import Item, message_item
from tunewright.serve.replies.responses_fields import ResponseBody


class ResponseAnswer:
    """What all events of one response share."""

    def __init__(self, body: ResponseBody) -> None:
        self.body = body
        self.id, self.created = new_id("response"), int(time.time())
        self.message_id = new_id("message")
        self._numbers = count()

    def whole(
        self,
        status: str,
        output: Sequence[Item] = (),
        usage: dict[str, Any] | None = None,
        error: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """The response as it is now."""
        body = self.body
        cut = {"reason": "max_output_tokens"} if status == "incomplete" else None
        done = int(time.time()) if status == "completed" else None
        return {
            "id": self.id,
            "object": "response",
            "created_at": self.created,
            "completed_at": done,
            "status": status,
            "background": False,
            "error": error,
            "incomplete_details": cut,
            "instructions": body.instructions,
            "max_output_tokens": body.max_output_tokens,
            "model": body.model,
            "output": list(output),
            "parallel_tool_calls": body.parallel_tool_calls is not False,
            "previous_response_id": body.previous_response_id,
            "reasoning": {"effort": None, "summary": None},
            "service_tier": "default",
            "store": body.store is not False,
            "temperature": 1.0 if body.temperature is None else body.temperature,
            "text": self._text(),
            "tool_choice": _choice(body),
            "tools": [tool.model_dump() for tool in body.tools or ()],
            "top_p": 1.0 if body.top_p is None else body.top_p,
            "truncation": "disabled",
            "metadata": body.metadata or {},
            **({} if usage is None else {"usage": usage}),
        }

    def _text(self) -> dict[str, Any]:
        form = self.body.text.format if self.body.text is not None else None
        dumped = {"type": "text"} if form is None else form.model_dump(by_alias=True)
        return {"format": {key: each for key, each in dumped.items() if each is not None}}

    def event(self, kind: str, **values: Any) -> str:
        """One event, with its number."""
        return event({"type": kind, "sequence_number": next(self._numbers), **values}, kind)

    def begins_message(self) -> Iterator[str]:
        """Events before the first text."""
        item = message_item(self.message_id, "", (), "in_progress")
        yield self.event("response.output_item.added", output_index=0, item={**item, "content": []})
        yield self._of_message("response.content_part.added", part=_part(""))

    def text(self, delta: str, logprobs: Sequence[Item]) -> str:
        """Some more text."""
        kind = "response.output_text.delta"
        return self._of_message(kind, delta=delta, logprobs=list(logprobs))

    def ends_message(self, item: Item) -> Iterator[str]:
        """Events after the last text."""
        (part,) = item["content"]
        done = "response.output_text.done"
        yield self._of_message(done, text=part["text"], logprobs=part["logprobs"])
        yield self._of_message("response.content_part.done", part=part)
        yield self.event("response.output_item.done", output_index=0, item=item)

    def call(self, index: int, item: Item) -> Iterator[str]:
        """Events of one call, which is told at once."""
        place = {"output_index": index, "item_id": item["id"]}
        begun = {**item, "arguments": "", "status": "in_progress"}
        yield self.event("response.output_item.added", output_index=index, item=begun)
        arguments = item["arguments"]
        yield self.event("response.function_call_arguments.delta", delta=arguments, **place)
        yield self.event(
            "response.function_call_arguments.done",
            arguments=arguments,
            name=item["name"],
            **place,
        )
        yield self.event("response.output_item.done", output_index=index, item=item)

    def _of_message(self, kind: str, **values: Any) -> str:
        place = {"item_id": self.message_id, "output_index": 0, "content_index": 0}
        return self.event(kind, **place, **values)


def _choice(body: ResponseBody) -> Any:
    chosen = body.tool_choice
    return chosen.model_dump() if isinstance(chosen, BaseModel) else chosen or "auto"


def _part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def response_usage(prompt: int, completion: int) -> dict[str, Any]:
    """Tokens that were read and written."""
    return {
        "input_tokens": prompt,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": completion,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": prompt + completion,
    }
