"""A tokenizer's chat template: messages to the one text that training and serving share."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from functools import cached_property, lru_cache
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import TemplateSyntaxError
from transformers.utils.chat_template_utils import render_jinja_template

from tunewright.backends.conversation import Conversation, Message
from tunewright.backends.folder import first_line
from tunewright.errors import DataError, ModelError

PLAIN = "plain"
GENERATION_MARK = re.compile(r"\{%-?\s*generation\s*-?%\}")
OTHER_TEMPLATE = "set data.chat_template to a Jinja file, or to plain"
ANSWER = "an answer to look for"
PROBE: tuple[Message, ...] = (
    {"role": "user", "content": "a"},
    {"role": "assistant", "content": ANSWER},
    {"role": "user", "content": "b"},
)
PRINTED_DATE = date(2024, 7, 26)
"""What a template that prints today's date prints in training: a run resumes to the same tokens."""
TODAY = re.compile(r"""strftime_now\(\s*(?P<quote>["'])(?P<form>.*?)(?P=quote)\s*\)""")
Span = tuple[int, int]


class ChatTemplate:
    """Renders conversations, and knows what ends an assistant's turn.

    Raises:
        ModelError: the tokenizer cannot say where its tokens lie.
    """

    def __init__(self, tokenizer: Any) -> None:
        if not tokenizer.is_fast:
            raise ModelError(
                "the tokenizer cannot say where in a text its tokens lie",
                fix="take a model whose folder has a tokenizer.json",
            )
        self.tokenizer = tokenizer
        self.added = frozenset(
            token.content
            for token in tokenizer.added_tokens_decoder.values()
            if not token.content.isspace()
        )
        self.added_ids = np.array(sorted(tokenizer.added_tokens_decoder))
        self.special = frozenset(tokenizer.all_special_tokens)
        self.tokens = lru_cache(maxsize=1_000)(self._tokens)

    def text(
        self,
        messages: Sequence[Message],
        tools: list[dict[str, Any]] | None = None,
        *,
        generation_prompt: bool = False,
    ) -> str:
        """What the template makes of messages.

        Args:
            generation_prompt: with the beginning of an assistant's turn, as in serving.
        Raises:
            DataError: the template refuses them.
            ModelError: there is no template, or it is no Jinja.
        """
        if not self.tokenizer.chat_template:
            raise ModelError("the tokenizer has no chat template", fix=OTHER_TEMPLATE)
        try:
            made: str = self.tokenizer.apply_chat_template(
                list(messages),
                tools=tools,
                tokenize=False,
                add_generation_prompt=generation_prompt,
                chat_template=self._template(tools),
            )
        except TemplateSyntaxError as error:
            raise ModelError(
                f"the chat template is no Jinja: {first_line(error)}", fix=OTHER_TEMPLATE
            ) from None
        except Exception as error:  # noqa: BLE001 - a template may raise whatever it likes
            raise DataError(
                f"the chat template refuses it: {first_line(error)}",
                fix=f"change the row as the template says; or {OTHER_TEMPLATE}",
            ) from None
        return made

    def _template(self, tools: list[dict[str, Any]] | None) -> str:
        """The template's text, where today's date is one date."""
        template: str = self.tokenizer.get_chat_template(tools=tools)
        return TODAY.sub(lambda call: repr(PRINTED_DATE.strftime(call["form"])), template)

    def marks(self, conversation: Conversation) -> list[Span]:
        """Where the template itself says that assistants' texts lie; none where it does not say."""
        template = self._template(conversation.tools)
        if not GENERATION_MARK.search(template):
            return []
        tools: Any = conversation.tools
        made: Any = render_jinja_template(
            [list(conversation.messages)],
            tools=tools,
            chat_template=template,
            return_assistant_tokens_mask=True,
            **self.tokenizer.special_tokens_map,
        )
        return [(int(first), int(end)) for first, end in made[1][0]]

    def refuse_without_answers(self, given: str | None) -> None:
        """Raise ModelError where no assistant's text comes out of the template, whatever the row.

        Args:
            given: what data.chat_template is.
        """
        try:
            text = self.text(PROBE[:2])
        except (DataError, ModelError):  # of rows of texts it is never asked
            return
        if ANSWER not in text:
            which = "of the model's tokenizer" if given is None else f"data.chat_template, {given},"
            raise ModelError(
                f"the chat template {which} writes nothing of what an assistant says, so nothing "
                "could be learned from any row",
                fix='give it a part for messages whose role is "assistant"; or ' + OTHER_TEMPLATE,
            )

    @cached_property
    def ending(self) -> str | None:
        """What the template writes after the last answer; None where it refuses to write one."""
        return self._after_answer(PROBE[:2])

    @cached_property
    def stop(self) -> str | None:
        """The last token of those that the template writes after every answer.

        Without such, that after the last answer.
        """
        if self.ending is None:
            end: str | None = self.tokenizer.eos_token
            return end
        last = self._tokens_at_start(self.ending)
        inner = self._after_answer(PROBE)
        if inner is not None:
            pairs = zip(last, self._tokens_at_start(inner), strict=False)
            shared = [one for one, _ in takewhile(lambda pair: pair[0] == pair[1], pairs)]
            last = shared or last
        return last[-1] if last else None

    def _after_answer(self, messages: Sequence[Message]) -> str | None:
        try:
            _, answer, after = self.text(messages).rpartition(ANSWER)
        except (DataError, ModelError):
            return None
        return after if answer else None

    def _tokens_at_start(self, text: str) -> list[str]:
        known = "|".join(map(re.escape, sorted(self.added, key=len, reverse=True)))
        start = re.match(rf"(?:\s*(?:{known}))+", text) if known else None
        return re.findall(known, start[0]) if start else []

    @cached_property
    def stop_ids(self) -> list[int]:
        """Tokens at which a served answer ends: what the template writes, and the end token."""
        stops = dict.fromkeys([self.stop, self.tokenizer.eos_token])
        return [self.id_of(stop) for stop in stops if stop]

    def id_of(self, token: str) -> int:
        """Its number in the vocabulary."""
        return int(self.tokenizer.convert_tokens_to_ids(token))

    def _tokens(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
        return ids

    def end_of_answer(self, text: str) -> tuple[int, str | None]:
        """Where an answer ends that begins a text, and the token that ends it.

        That is the first stop token; or the special token at the text's end, as some calls have it.
        """
        if self.stop and self.stop in text:
            return text.index(self.stop) + len(self.stop), self.stop
        text = text.rstrip()
        ends = [token for token in self.special if text.endswith(token)]
        return len(text), max(ends, key=len, default=None)


def set_template(tokenizer: Any, given: str | None) -> None:
    """Put a template on a tokenizer, with which it is saved from then on.

    Args:
        given: the path of a Jinja file; 'plain' for the built-in one; None changes nothing.
    Raises:
        ModelError: the file cannot be read; or there is no end token for 'plain'.
    """
    if given is None:
        return
    if given == PLAIN:
        tokenizer.chat_template = _plain(tokenizer)
        return
    try:
        tokenizer.chat_template = Path(given).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(
            f"data.chat_template cannot be read: {error}",
            fix="give the path of a Jinja file, or plain",
        ) from None


def _plain(tokenizer: Any) -> str:
    """The built-in template, which begins as the tokenizer begins a text by itself."""
    if not tokenizer.eos_token:
        raise ModelError(
            "the tokenizer has no end token, which the plain template needs", fix="add one to it"
        )
    alone = tokenizer("a", add_special_tokens=True)["input_ids"]
    begins = tokenizer.bos_token_id is not None and alone[:1] == [tokenizer.bos_token_id]
    template = (Path(__file__).parent / "plain_chat.jinja").read_text("utf-8")
    return ("{{ bos_token }}" if begins else "") + template
