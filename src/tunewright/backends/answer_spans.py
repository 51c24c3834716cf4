"""Where in a rendered conversation the assistant's answers lie: marked by the template, or proven."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from tunewright.backends.chat_template import OTHER_TEMPLATE, ChatTemplate, Span
from tunewright.backends.conversation import Conversation
from tunewright.errors import DataError


@dataclass(frozen=True)
class Answer:
    """Characters that an assistant's turn adds to the text it is asked with.

    Args:
        message: its number in the conversation, from 0.
        first, end: what is answered, with the stop token and without what follows that.
        stop: the token it ends with, or None.
    """

    message: int
    first: int
    end: int
    stop: str | None


def find_answers(
    template: ChatTemplate, conversation: Conversation, text: str, wanted: list[int]
) -> list[Answer]:
    """Where these assistant's turns lie in the text of the whole conversation.

    Args:
        wanted: numbers of messages.
    Raises:
        DataError: it cannot be proven that serving would ask for an answer with what is before it.
    """
    spans, messages = template.marks(conversation), conversation.answers()
    marks = dict(zip(messages, spans, strict=True)) if len(spans) == len(messages) else {}
    return [
        _answer(template, conversation, text, message, marks.get(message)) for message in wanted
    ]


def _answer(
    template: ChatTemplate, conversation: Conversation, text: str, message: int, mark: Span | None
) -> Answer:
    """What follows the question, as serving asks it, up to the token at which serving stops."""
    if mark is None:
        first, answered = _proven(template, conversation, text, message)
    else:
        first, answered = _marked(template, conversation, text, message, mark)
    length, stop = template.end_of_answer(answered[first:])
    end = first + length
    if not text.startswith(answered[:end]):
        raise DataError(
            f"the chat template writes message {message + 1} in another way once others follow",
            fix="set data.learn to last, or give each answer as a row that ends with it",
        )
    return Answer(message, first, end, stop)


def _proven(
    template: ChatTemplate, conversation: Conversation, text: str, message: int
) -> tuple[int, str]:
    """Where an answer begins, and the text of the conversation as far as it."""
    if message == 0:
        raise DataError(
            "the conversation begins with an answer to nothing",
            fix="begin it with the user's message, or give its first message the weight 0",
        )
    messages = conversation.messages
    is_last = message + 1 == len(messages)
    answered = text if is_last else template.text(messages[: message + 1], conversation.tools)
    return _end_of_question(template, conversation, answered, message), answered


def _marked(
    template: ChatTemplate, conversation: Conversation, text: str, message: int, mark: Span
) -> tuple[int, str]:
    """The same, where the template marks what is answered; its stop token may lie behind the mark."""
    first, end = mark
    if message > 0:
        first = max(first, _end_of_question(template, conversation, text, message))
    end = max(first, len(text[:end].rstrip()))
    after = text[end:]
    if template.stop and after.lstrip().startswith(template.stop):
        end += after.index(template.stop) + len(template.stop)
    return first, text[:end]


def _end_of_question(
    template: ChatTemplate, conversation: Conversation, text: str, message: int
) -> int:
    """Characters of the text with which serving would ask for an answer."""
    question = template.text(
        conversation.messages[:message], conversation.tools, generation_prompt=True
    )
    if not text.startswith(question):
        raise DataError(
            f"the chat template asks for message {message + 1} with a text that ends "
            f"{question[-30:]!r}, which is not how it writes that message",
            fix=f"begin the answer as the template asks for it; or {OTHER_TEMPLATE}",
        )
    return len(question)


def refuse_stops(template: ChatTemplate, conversation: Conversation) -> None:
    """Raise DataError where a message holds the token that ends an answer."""
    for number, message in enumerate(conversation.messages, start=1):
        if template.stop and template.stop in json.dumps(message, ensure_ascii=False):
            raise DataError(
                f"message {number} holds {template.stop}, the token that ends an answer",
                fix="give messages as people wrote them, without the tokens of a template",
            )


def chosen_answers(conversation: Conversation, learn: str) -> Iterator[int]:
    """Numbers of the assistant's turns that are to be learned."""
    answers = conversation.answers()
    for message in answers[-1:] if learn == "last" else answers:
        if conversation.weights[message] != 0:
            yield message
