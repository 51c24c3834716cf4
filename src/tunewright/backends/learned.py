"""Which tokens of a row are learned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from tunewright.backends.answer_spans import Answer, chosen_answers, find_answers, refuse_stops
from tunewright.backends.chat_template import ChatTemplate
from tunewright.backends.conversation import Conversation, Plain
from tunewright.backends.left_out import refuse_left_out
from tunewright.errors import DataError

Learn = Literal["assistant", "last", "all"]


@dataclass(frozen=True)
class Turn:
    """Tokens of an assistant's turn that is learned.

    Args:
        message: its number in the conversation, from 0.
        first, end: of its tokens.
        has_stop: the last of these tells the model to stop.
        is_joined: what is before it would be other tokens if it stood alone, as in serving.
    """

    message: int
    first: int
    end: int
    has_stop: bool
    is_joined: bool


@dataclass(frozen=True, eq=False)
class Marked:
    """A row's tokens, and which of them are learned.

    Args:
        ids: int32 (tokens).
        learned: bool (tokens). The first token is never learned: nothing is before it.
        stops: bool (tokens), those that are learned and tell the model to stop.
        turns: of the assistant that are learned; none where all of the row is.
        kept: tokens that the model is given; what is after these is cut off.
    """

    ids: np.ndarray
    learned: np.ndarray
    stops: np.ndarray
    turns: tuple[Turn, ...]
    kept: int

    def cut_at(self, longest: int) -> Marked:
        """The row with at most so many tokens for the model."""
        return replace(self, kept=min(self.kept, longest))

    @property
    def num_learned(self) -> int:
        """Tokens that are learned, of those that the model is given."""
        return int(self.learned[: self.kept].sum())

    @property
    def num_stops(self) -> int:
        """Tokens that are learned and end a turn, of those that the model is given."""
        return int(self.stops[: self.kept].sum())


@dataclass(frozen=True)
class Drawn:
    """A row's text before it is tokens.

    Args:
        answers: what is learned of it; or, with `others`, what is not.
        others: it is what lies outside of the answers that is learned.
        is_plain: a text without turns, to which the tokenizer adds a beginning and an end.
    """

    text: str
    answers: list[Answer]
    others: bool = False
    is_plain: bool = False


def marked(template: ChatTemplate, row: Conversation | Plain, learn: Learn) -> Marked:
    """One row's tokens; see `mark_all`."""
    return mark_all(template, [draw(template, row, learn)])[0]


def draw(template: ChatTemplate, row: Conversation | Plain, learn: Learn) -> Drawn:
    """The row's text, and where in it lies what is learned.

    Args:
        learn: 'assistant' for all its turns whose weight is not 0, 'last' for the last of these
            alone, 'all' for every token but those of turns with weight 0. Of a text all is learned.
    Raises:
        DataError: the template refuses the row or leaves something out, or nothing is learned.
    """
    if isinstance(row, Plain):
        return Drawn(row.text, [], others=True, is_plain=True)
    text = template.text(row.messages, row.tools)
    refuse_left_out(template, row, text)
    refuse_stops(template, row)
    chosen = list(chosen_answers(row, learn))
    if learn == "all":
        unwanted = [message for message in row.answers() if message not in chosen]
        return Drawn(text, find_answers(template, row, text, unwanted), others=True)
    if not chosen:
        raise DataError(
            "has no assistant's turn to learn from",
            fix="take the row out, or give an assistant's turn of it a weight other than 0",
        )
    return Drawn(text, find_answers(template, row, text, chosen))


def mark_all(template: ChatTemplate, rows: Sequence[Drawn]) -> list[Marked]:
    """Each row's tokens. A text is tokenized whole and once, so no token depends on a border."""
    made: list[Marked | None] = [None] * len(rows)
    for plain in (False, True):
        at = [index for index, row in enumerate(rows) if row.is_plain == plain]
        if not at:
            continue
        coded = template.tokenizer(
            [rows[index].text for index in at],
            add_special_tokens=plain,
            return_offsets_mapping=True,
            return_attention_mask=False,
            return_token_type_ids=False,
            verbose=False,
        )
        for index, ids, offsets in zip(
            at, coded["input_ids"], coded["offset_mapping"], strict=True
        ):
            make = _whole if rows[index].others else _answers_alone
            made[index] = make(template, rows[index], np.asarray(ids, np.int32), offsets)
    return [each for each in made if each is not None]


def _answers_alone(
    template: ChatTemplate, row: Drawn, ids: np.ndarray, offsets: Sequence[tuple[int, int]]
) -> Marked:
    """Tokens of the answers are learned."""
    learned, stops = np.zeros(len(ids), dtype=bool), np.zeros(len(ids), dtype=bool)
    firsts, ends = _characters(offsets)
    turns = []
    for answer in row.answers:
        inside = np.flatnonzero(_within(answer, firsts, ends))
        if not len(inside):
            continue
        first, last = int(inside[0]), int(inside[-1])
        has_stop = answer.stop is not None and ids[last] == template.id_of(answer.stop)
        learned[first : last + 1] = True
        stops[last] = has_stop
        is_joined = _is_joined(template, row.text, answer, ids[:first], firsts)
        turns.append(Turn(answer.message, first, last + 1, bool(has_stop), is_joined))
    learned[:1] = False
    return Marked(ids, learned, stops & learned, tuple(turns), len(ids))


def _is_joined(
    template: ChatTemplate, text: str, answer: Answer, before: np.ndarray, firsts: np.ndarray
) -> bool:
    """Whether the tokens before an answer are others where nothing follows them.

    From a special token on, tokens depend on nothing that is before it.
    """
    special = np.flatnonzero(np.isin(before, template.added_ids))
    last = int(special[-1]) if len(special) else 0
    alone = template.tokens(text[int(firsts[last]) : answer.first])
    return bool(alone != before[last:].tolist())


def _whole(
    template: ChatTemplate, row: Drawn, ids: np.ndarray, offsets: Sequence[tuple[int, int]]
) -> Marked:
    """Tokens outside of the answers are learned. A text ends with the end token."""
    end = template.tokenizer.eos_token_id
    firsts, ends = _characters(offsets)
    learned = np.ones(len(ids), dtype=bool)
    for answer in row.answers:
        learned &= ~_within(answer, firsts, ends)
    if row.is_plain and end is not None and ids[-1:].tolist() != [end]:
        ids, learned = np.append(ids, np.int32(end)), np.append(learned, True)
    learned[:1] = False
    return Marked(ids, learned, learned & np.isin(ids, template.stop_ids), (), len(ids))


def _characters(offsets: Sequence[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    """Where each token begins and ends in the text.

    Some tokenizers leave spaces out of a token's offsets: what is between two tokens counts to the
    second.
    """
    pairs = np.asarray(offsets, dtype=np.int64).reshape(-1, 2)
    ends = pairs[:, 1]
    before = np.concatenate([[0], np.maximum.accumulate(ends)[:-1]]) if len(ends) else ends
    return np.minimum(pairs[:, 0], before), ends


def _within(answer: Answer, firsts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """bool (tokens): which have a character of the answer; a token without any has its place."""
    reaches = (ends > answer.first) | ((ends == firsts) & (firsts >= answer.first))
    inside: np.ndarray = reaches & (firsts < answer.end)
    return inside
