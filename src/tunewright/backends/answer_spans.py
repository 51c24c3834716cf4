"""Where in a rendered conversation the assistant's answers lie: marked by the template, or proven."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from tunewright.backends.chat_template import OTHER_TEMPLATE, ChatTemplate
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
    found = _marked(template, conversation, text)
    if found is None:
        found = [_proven(template, conversation, text, message) for message in wanted]
    return [each for each in found if each.message in wanted]


def _marked(template: ChatTemplate, conversation: Conversation, text: str) -> list[Answer] | None:
    """By the template's own marks; None where it has none, or not one for each answer."""
    spans, messages = template.marks(conversation), conversation.answers()
    if spans is None or len(spans) != len(messages):
        return None
    answers = []
    for message, (first, end) in zip(messages, spans, strict=True):
        marked = text[first:end].rstrip()
        after = text[first + len(marked) :]
        if template.stop and after.lstrip().startswith(template.stop):
            marked += after[: after.index(template.stop) + len(template.stop)]
        length, stop = template.end_of_answer(marked)
        answers.append(Answer(message, first, first + length, stop))
    return answers


def _proven(template: ChatTemplate, conversation: Conversation, text: str, message: int) -> Answer:
    """By what the template makes of the messages before the answer, and of these with it.

    The question, as serving asks it, must begin the question with its answer; and this, up to the
    token at which serving stops, must begin the whole conversation.
    """
    if message == 0:
        raise DataError(
            "the conversation begins with an answer to nothing",
            fix="begin it with the user's message, or give its first message the weight 0",
        )
    messages, tools = conversation.messages, conversation.tools
    question = template.text(messages[:message], tools, generation_prompt=True)
    is_last = message + 1 == len(messages)
    answered = text if is_last else template.text(messages[: message + 1], tools)
    if not answered.startswith(question):
        raise DataError(
            f"the chat template asks for message {message + 1} with a text that ends "
            f"{question[-30:]!r}, which is not how it begins that message",
            fix=OTHER_TEMPLATE,
        )
    length, stop = template.end_of_answer(answered[len(question) :])
    end = len(question) + length
    if not text.startswith(answered[:end]):
        raise DataError(
            f"the chat template writes message {message + 1} in another way once others follow",
            fix="set data.learn to last, or give each answer as a row that ends with it",
        )
    return Answer(message, len(question), end, stop)


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
