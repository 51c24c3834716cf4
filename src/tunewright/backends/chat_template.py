"""A tokenizer's chat template: messages to the one text that training and serving share."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from jinja2 import TemplateSyntaxError
from transformers.utils.chat_template_utils import render_jinja_template

from tunewright.backends.conversation import Conversation, Message
from tunewright.backends.folder import first_line
from tunewright.errors import DataError, ModelError

PLAIN = "plain"
GENERATION_MARK = re.compile(r"\{%-?\s*generation\s*-?%\}")
OTHER_TEMPLATE = "set data.chat_template to a Jinja file, or to plain"
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
        self.special = frozenset(tokenizer.all_special_tokens)

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

    def marks(self, conversation: Conversation) -> list[Span] | None:
        """Where the template itself says that assistants' texts lie; None where it does not say."""
        template = self.tokenizer.get_chat_template(tools=conversation.tools)
        if not GENERATION_MARK.search(template):
            return None
        tools: Any = conversation.tools
        made: Any = render_jinja_template(
            [list(conversation.messages)],
            tools=tools,
            chat_template=template,
            return_assistant_tokens_mask=True,
            **self.tokenizer.special_tokens_map,
        )
        return [(int(first), int(end)) for first, end in made[1][0]]

    @cached_property
    def ending(self) -> str | None:
        """What the template writes after an answer; None where there is none, or it refuses that."""
        answer = "an answer to look for"
        asked = [{"role": "user", "content": "a"}, {"role": "assistant", "content": answer}]
        try:
            text = self.text(asked)
        except (DataError, ModelError):
            return None
        return text.rpartition(answer)[2] if answer in text else None

    @cached_property
    def stop(self) -> str | None:
        """The token that the template writes after an answer."""
        if self.ending is None:
            return self.tokenizer.eos_token  # type: ignore[no-any-return]
        tail = self.ending.lstrip()
        found = [token for token in self.added if token and tail.startswith(token)]
        return max(found, key=len, default=None)

    @cached_property
    def stop_ids(self) -> list[int]:
        """Tokens at which a served answer ends: what the template writes, and the end token."""
        stops = dict.fromkeys([self.stop, self.tokenizer.eos_token])
        return [self.id_of(stop) for stop in stops if stop]

    def id_of(self, token: str) -> int:
        """Its number in the vocabulary."""
        return int(self.tokenizer.convert_tokens_to_ids(token))

    def stop_at_end(self, text: str) -> str | None:
        """The token that ends a turn's text, where it is one that ends turns."""
        stops = self.special | {self.stop} - {None}
        return max((s for s in stops if s and text.endswith(s)), key=len, default=None)

    def stop_at(self, text: str, position: int) -> int:
        """Where the stop token ends that follows here, maybe after spaces; else `position`."""
        for stop in (self.stop, self.tokenizer.eos_token):
            found = stop and re.compile(r"\s*" + re.escape(stop)).match(text, position)
            if found:
                return int(found.end())
        return position


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


def refuse_left_out(conversation: Conversation, text: str) -> None:
    """Raise DataError where a template leaves out, without a word, what a row says."""
    for number, message in enumerate(conversation.messages, start=1):
        content = str(message.get("content", "")).strip()
        if message["role"] in ("system", "user", "developer") and content not in text:
            _refuse(f"the {message['role']} message, number {number} of the row")
        for call in message.get("tool_calls", ()):
            _refuse_missing_name(call, text, f"the call in message {number}")
    for tool in conversation.tools or ():
        _refuse_missing_name(tool, text, "the tool")


def _refuse_missing_name(call: dict[str, Any], text: str, what: str) -> None:
    name = str(call.get("function", call).get("name", ""))
    if json.dumps(name, ensure_ascii=False)[1:-1] not in text:
        _refuse(f"{what} {name}")


def _refuse(what: str) -> None:
    raise DataError(
        f"the chat template leaves out {what}",
        fix="set data.chat_template to a Jinja file that writes it, or take it out of the row",
    )
