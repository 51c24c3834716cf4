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
from tunewright.serve.engine.text_stream import HALF_LETTER
from tunewright.serve.engine.too_long import refuse_endless
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
        """The tokens that an answer to these messages is asked with, as in training.

        Raises:
            ApiError: the model has no tools, or reads far fewer tokens.
        """
        if tools and not self.shows_tools:
            raise ApiError(
                400,
                "The chat template of this model has no place for tools: it cannot call any",
                "tools",
                "unsupported_parameter",
            )
        text = self.template.text(messages, tools or None, generation_prompt=True)
        return self.ids(text, param="messages")

    def ids(self, text: str, *, param: str) -> tuple[int, ...]:
        """A text as tokens, and no others.

        Args:
            param: the field that has it, for errors.
        Raises:
            ApiError: the model reads far fewer.
        """
        refuse_endless(
            text, lambda some: len(self._coded(some)), longest=self.batch.longest, param=param
        )
        return tuple(self._coded(text))

    def _coded(self, text: str) -> list[int]:
        found: list[int] = self.tokenizer(text, add_special_tokens=False, verbose=False)[
            "input_ids"
        ]
        return found

    def text(self, ids: Sequence[int]) -> str:
        """Tokens as text."""
        found: str = self.tokenizer.decode(list(ids), skip_special_tokens=True)
        return found

    def begin(
        self,
        wishes: Sequence[Wish],
        tell: Callable[[Piece | Exception], None],
        *,
        param: str,
        calls: bool = False,
    ) -> list[BeingWritten]:
        """Have texts written.

        Args:
            param: the field that has the prompts, for errors.
            calls: whether they may call tools, whose marks are then kept in them.
        Raises:
            ApiError: a prompt is empty, or leaves no room for an answer; nothing is written then.
        """
        for wish in wishes:
            self._refuse_unreadable(wish, param)
        skip = not (calls and self._marks_are_special)
        texts = [
            BeingWritten(
                wish,
                tell,
                decode=lambda ids: self.tokenizer.decode(ids, skip_special_tokens=skip),
                spell=self._spelled,
                stop_ids=frozenset(self.template.stop_ids),
                room=self.batch.longest,
            )
            for wish in wishes
        ]
        for text in texts:
            self.batch.add(text)
        return texts

    def _spelled(self, token: int) -> bytes:
        """A token in UTF-8, also where it is a part of a letter."""
        text: str = self.tokenizer.decode([token])
        return self._grammars.bytes_of(token) if HALF_LETTER in text else text.encode()

    def _refuse_unreadable(self, wish: Wish, param: str) -> None:
        tokens, room, known = len(wish.prompt), self.batch.longest, self.writer.known_tokens
        if not tokens:
            raise ApiError(400, "The prompt has no tokens", param, "invalid_value")
        if tokens + 1 > room:
            raise ApiError(
                400,
                f"This model's context is {room:,} tokens, and the prompt has {tokens:,}",
                param,
                "context_length_exceeded",
            )
        for name, given in ((param, wish.prompt), ("logit_bias", wish.bias)):
            wrong = next((token for token in given if not 0 <= token < known), None)
            if wrong is not None:
                told = f"The model knows tokens 0 to {known - 1}, not {wrong}"
                raise ApiError(400, told, name, "invalid_value")

    def grammar(self, schema: Mapping[str, Any], param: str) -> Callable[[], Grammar]:
        """See `Grammars.of_schema`."""
        return self._grammars.of_schema(schema, param)

    def forced_call(self, tools: Sequence[Mapping[str, Any]], param: str) -> Callable[[], Grammar]:
        """What makes a grammar of answers that are a call.

        Raises:
            ApiError: it is not known how this model writes calls.
        """
        if self.call_form is None:
            raise ApiError(
                400,
                "The chat template of this model does not show how calls are written: tool_choice "
                "is auto or none",
                param,
                "unsupported_parameter",
            )
        return self._grammars.of_call(self.call_form, tools, param)

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
