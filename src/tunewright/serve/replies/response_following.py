"""A response while it is written."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from tunewright.serve.engine.wish import Piece, Told
from tunewright.serve.engine.writing import Writing
from tunewright.serve.replies.chat_answers import call_of, logprobs_of
from tunewright.serve.replies.chat_asking import Calling
from tunewright.serve.replies.response_answers import ResponseAnswer, response_usage
from tunewright.serve.replies.response_items import Item, call_item, message_item


class Following:
    """A response that is being written, and what it consists of so far."""

    def __init__(self, answer: ResponseAnswer, writing: Writing, calling: Calling) -> None:
        self.answer, self.writing = answer, writing
        self._calls = None if calling is None else calling[0]
        self.text, self.tokens = "", list[Told]()
        self.calls: list[Item] = []
        self.last: Piece | None = None

    async def pieces(self) -> AsyncIterator[tuple[str, list[Item]]]:
        """New text, and the likelihoods of its tokens."""
        async for piece in self.writing.pieces():
            text = piece.text if self._calls is None else self._calls.take(piece.text)
            if piece.finish and self._calls is not None:
                rest, calls = self._calls.end()
                text += rest
                self.calls = [call_item(call_of(call)) for call in calls]
            self.last = piece
            self.text += text
            self.tokens += piece.tokens
            yield text, logprobs_of(piece.tokens)["content"]

    @property
    def status(self) -> str:
        """Whether it is whole."""
        cut = self.last is not None and self.last.finish == "length" and not self.calls
        return "incomplete" if cut else "completed"

    @property
    def output(self) -> list[Item]:
        """The message, if there is one, and the calls."""
        told = logprobs_of(self.tokens)["content"]
        message = message_item(self.answer.message_id, self.text, told, self.status)
        return [*([message] if self.text or not self.calls else []), *self.calls]

    def whole(self) -> dict[str, Any]:
        """The response."""
        count = 0 if self.last is None else self.last.count
        usage = response_usage(self.writing.prompt_tokens, count)
        return self.answer.whole(self.status, self.output, usage)
