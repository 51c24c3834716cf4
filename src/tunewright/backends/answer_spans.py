"""Where in a rendered conversation the assistant's answers lie: marked by the template, or proven."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tunewright.backends.chat_template import OTHER_TEMPLATE, ChatTemplate
from tunewright.backends.conversation import Conversation
from tunewright.errors import DataError

LAST = "set data.learn to last, or give each answer as a row that ends with it"


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
    answers = [each for each in found if each.message in wanted]
    for each in answers:
        if each.stop and each.stop in text[each.first : each.end - len(each.stop)]:
            raise DataError(
                f"message {each.message + 1} contains the token {each.stop}, which ends an answer",
                fix="give messages without the tokens of a template",
            )
    return answers


def _marked(template: ChatTemplate, conversation: Conversation, text: str) -> list[Answer] | None:
    """By the template's own marks; None where it has none, or not one for each answer."""
    spans, messages = template.marks(conversation), conversation.answers()
    if spans is None or len(spans) != len(messages):
        return None
    answers = []
    for message, (first, end) in zip(messages, spans, strict=True):
        end = first + len(text[first:end].rstrip())
        if template.stop_at_end(text[first:end]) is None:
            end = template.stop_at(text, end)
        answers.append(Answer(message, first, end, template.stop_at_end(text[first:end])))
    return answers


def _proven(template: ChatTemplate, conversation: Conversation, text: str, message: int) -> Answer:
    """By what the template makes of the messages before the answer, and of these with it.

    Each must begin the next: the question, as serving asks it; the question with its answer; the
    whole conversation. Then what stands between the first two is what serving waits for.
    """
    messages, tools = conversation.messages, conversation.tools
    is_last = message + 1 == len(messages)
    with_answer = text if is_last else template.text(messages[: message + 1], tools)
    if not text.startswith(with_answer):
        raise DataError(
            f"the chat template writes message {message + 1} in another way once others follow",
            fix=LAST,
        )
    if message == 0:
        raise DataError(
            "the conversation begins with an answer to nothing",
            fix="begin it with the user's message, or give the first message the weight 0",
        )
    question = template.text(messages[:message], tools, generation_prompt=True)
    if not with_answer.startswith(question):
        raise DataError(
            f"the chat template asks for message {message + 1} with {_end(question)}, which is not "
            "how it begins that message",
            fix=f"{LAST}; or {OTHER_TEMPLATE}",
        )
    answer = with_answer[len(question) :].rstrip()
    return Answer(message, len(question), len(question) + len(answer), template.stop_at_end(answer))


def _end(text: str) -> str:
    return repr(text[-30:])


def chosen_answers(conversation: Conversation, learn: str) -> Iterator[int]:
    """Numbers of the assistant's turns that are to be learned."""
    answers = conversation.answers()
    for message in answers[-1:] if learn == "last" else answers:
        if conversation.weights[message] != 0:
            yield message
