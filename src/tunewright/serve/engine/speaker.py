"""A language model that is open: its words, its template, and the batch that it writes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

from tunewright.backends.call_form import CallForm, call_form, shows_tools
from tunewright.serve.answers import ApiError
from tunewright.serve.engine.batch import Batch
from tunewright.serve.engine.being_written import BeingWritten
from tunewright.serve.engine.grammar import Grammar, Grammars
from tunewright.serve.engine.wish import Piece, Wish


class Speaker:
    """Lives in the thread of the engine; nothing else may touch it.

    Args:
        writer: see `RowWriter`.
    """

    def __init__(self, writer: Any, *, most_texts: int, most_bytes: int) -> None:
        self.writer, self.template, self.tokenizer = writer, writer.template, writer.tokenizer
        self.batch = Batch(writer, most_texts=most_texts, most_bytes=most_bytes)
        self._special = self.tokenizer.all_special_tokens

    def prompt(self, messages: Sequence[Mapping[str, Any]], tools: Any) -> tuple[int, ...]:
        """The tokens that an answer to these messages is asked with, as in training."""
        if tools and not self.shows_tools:
            raise ApiError(
                400,
                "The chat template of this model has no place for tools: it cannot call any",
                "tools",
                "unsupported_parameter",
            )
        return self.ids(self.template.text(messages, tools or None, generation_prompt=True))

    def ids(self, text: str) -> tuple[int, ...]:
        """A text as tokens, and no others."""
        return tuple(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def text(self, ids: Sequence[int]) -> str:
        """Tokens as text."""
        found: str = self.tokenizer.decode(list(ids), skip_special_tokens=True)
        return found

    def begin(
        self, wish: Wish, tell: Callable[[Piece | Exception], None], *, calls: bool = False
    ) -> BeingWritten:
        """Have a text written.

        Args:
            calls: whether it may call tools, whose marks are then kept in it.
        Raises:
            ApiError: the prompt is empty, or leaves no room for an answer.
        """
        self._refuse_length(wish)
        skip = not (calls and self._marks_are_special)
        text = BeingWritten(
            wish,
            tell,
            decode=lambda ids: self.tokenizer.decode(ids, skip_special_tokens=skip),
            stop_ids=frozenset(self.template.stop_ids),
            room=self.batch.longest,
        )
        self.batch.add(text)
        return text

    def _refuse_length(self, wish: Wish) -> None:
        tokens, room = len(wish.prompt), self.batch.longest
        if not tokens:
            raise ApiError(400, "The prompt has no tokens", "prompt", "invalid_value")
        if tokens + 1 > room:
            raise ApiError(
                400,
                f"This model's context is {room:,} tokens, and the prompt has {tokens:,}",
                "messages",
                "context_length_exceeded",
            )
        known = self.writer.known_tokens
        wrong = next((t for t in (*wish.prompt, *wish.bias) if not 0 <= t < known), None)
        if wrong is not None:
            raise ApiError(400, f"The model knows tokens 0 to {known - 1}, not {wrong}", "prompt")

    def grammar(self, schema: Mapping[str, Any], param: str) -> Callable[[], Grammar]:
        """See `Grammars.of_schema`."""
        return self._grammars.of_schema(schema, param)

    @cached_property
    def _grammars(self) -> Grammars:
        return Grammars(self.tokenizer, self.template.stop_ids, self.writer.known_tokens)

    @cached_property
    def shows_tools(self) -> bool:
        """Whether the template tells the model which tools there are."""
        return shows_tools(self.template)

    @cached_property
    def call_form(self) -> CallForm | None:
        """How the template writes calls."""
        return call_form(self.template)

    @property
    def _marks_are_special(self) -> bool:
        form = self.call_form
        marks = "" if form is None else form.begin + form.end
        return any(token in marks for token in self._special)
