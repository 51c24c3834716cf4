"""Rows of conversations, texts or preferences, read by a model folder's tokenizer and template."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tunewright.backends.chat_template import ChatTemplate, set_template
from tunewright.backends.chats import ChatTokens, joined
from tunewright.backends.conversation import Preference, read_row
from tunewright.backends.folder import load_tokenizer, longest_input, refuse_readers
from tunewright.backends.learned import Drawn, Learn, Marked, draw, mark_all
from tunewright.backends.new_tokens import add_tokens
from tunewright.backends.preferences import PairTokens, paired, refuse_other_prompt
from tunewright.backends.row_counts import refuse_hopeless
from tunewright.backends.tokens import give_padding
from tunewright.backends.too_long import TooLong, TooLongError, cut
from tunewright.data.rows import in_chunks
from tunewright.errors import DataError

BEGINNING = 60
"""Characters of a refused row that are shown, to find it by."""
PAIR = 3
"""A preference is read as its question, and this with each of its two answers."""


class RowError(DataError):
    """A row that cannot be learned from.

    Args:
        row: its number among those read, from 0. error: why; `why` says it in words.
        others: numbers of more rows that are refused, for this reason or another.
    """

    def __init__(self, row: int, text: str, error: DataError, others: Sequence[int] = ()) -> None:
        self.row, self.why, self.others = row, error.what, tuple(others)
        beginning = text[:BEGINNING] + ("…" if len(text) > BEGINNING else "")
        super().__init__(f"row {row + 1}, {beginning}: {error.what}", fix=error.fix)


class ChatReader:
    """Implements `Reader`.

    Args:
        learn: which tokens of a conversation are learned, as in `learned.draw`.
        too_long: what becomes of rows longer than the model is given, as in `too_long.cut`.
        chat_template: the path of a Jinja file, or 'plain'; None for the tokenizer's own.
        new_tokens: which the tokenizer is given.
    Raises:
        RecipeError: it has one of these already.
        ModelError: the folder has no tokenizer that can be read, or its chat template writes no
            answers.
    """

    def __init__(
        self,
        path: Path,
        config: Any,
        *,
        learn: Learn = "assistant",
        too_long: TooLong = "refuse",
        chat_template: str | None = None,
        new_tokens: Sequence[str] = (),
    ) -> None:
        self.tokenizer = load_tokenizer(path)
        self.new_tokens = add_tokens(self.tokenizer, new_tokens)
        give_padding(self.tokenizer)
        set_template(self.tokenizer, chat_template)
        refuse_readers(path, config, has_template=bool(self.tokenizer.chat_template))
        self.template = ChatTemplate(self.tokenizer)
        self.template.refuse_without_answers(chat_template)
        self.learn, self.too_long = learn, too_long
        self.padding: int = self.tokenizer.pad_token_id
        self.longest_input: int | None = longest_input(config, self.tokenizer)

    @property
    def stop_ids(self) -> list[int]:
        """Tokens at which a model that learned from these rows ends an answer."""
        return self.template.stop_ids

    def read(
        self, texts: Sequence[str], pairs: Sequence[str] | None, longest: int | None
    ) -> ChatTokens | PairTokens:
        """See `Reader`.

        Args:
            texts: canonical JSON of each row; preferences are among themselves.
            pairs: not used.
        Raises:
            RowError: a row cannot be learned from.
            DataError: rows are longer than the model is given.
            ModelError: no row would teach the model to stop.
        """
        limit = longest or self.longest_input or 0
        rows = self.marked(texts)
        longer = [max(row, key=lambda part: len(part.ids)) for row in rows]
        try:
            kept = cut(longer, limit, self.too_long, self.longest_input)
        except TooLongError as error:
            raise RowError(error.rows[0], texts[error.rows[0]], error, error.rows[1:]) from None
        if rows and len(rows[0]) == PAIR:
            pair = paired(kept, rows, limit, self.padding)
            refuse_hopeless(pair.chosen.counts, self.template)
            return pair
        tokens = joined(kept, self.padding)
        refuse_hopeless(tokens.counts, self.template)
        return tokens

    def whole_lengths(self, texts: Sequence[str], pairs: Sequence[str] | None) -> np.ndarray:
        """See `Reader`. Of a preference, with its longer answer."""
        rows = self.marked(texts)
        return np.array([max(len(part.ids) for part in row) for row in rows], dtype=np.int64)

    def marked(self, texts: Sequence[str]) -> list[list[Marked]]:
        """Each row's tokens before any are cut off: one `Marked`, or those of a preference."""
        rows: list[list[Marked]] = []
        refused: dict[int, DataError] = {}
        for some, _ in in_chunks(texts):
            drawn = [self._drawn_or(n, text, refused) for n, text in enumerate(some, len(rows))]
            parts = iter(mark_all(self.template, [part for row in drawn for part in row]))
            rows.extend([next(parts) for _ in row] for row in drawn)
        num_parts = next((len(row) for row in rows if row), 0)
        for number, row in enumerate(rows):
            try:
                _refuse_useless(row, num_parts)
            except DataError as error:
                refused.setdefault(number, error)
        if refused:
            first, *others = sorted(refused)
            raise RowError(first, texts[first], refused[first], others)
        return rows

    def _drawn_or(self, number: int, text: str, refused: dict[int, DataError]) -> list[Drawn]:
        """The row's text, or nothing and why among those that are refused."""
        try:
            return self._drawn(text)
        except DataError as error:
            refused[number] = error
        except RecursionError:
            said = "its lists and objects are nested too deeply"
            refused[number] = DataError(said, fix="take the row out, or make it flatter")
        return []

    def _drawn(self, text: str) -> list[Drawn]:
        row = read_row(text)
        if not isinstance(row, Preference):
            return [draw(self.template, row, self.learn)]
        question = self.template.text(row.prompt.messages, row.prompt.tools, generation_prompt=True)
        answered = [draw(self.template, each, "last") for each in (row.chosen, row.rejected)]
        return [Drawn(question, []), *answered]

    def save(self, folder: Path) -> None:
        """See `Reader`: the tokenizer, with the template that the rows were read by."""
        self.tokenizer.save_pretrained(folder)


def _refuse_useless(row: list[Marked], parts: int) -> None:
    """Raise DataError when a row teaches nothing, or is of another kind than the first."""
    if row and len(row) != parts:
        raise DataError(
            "preferences and other rows are mixed", fix="put preferences into a file of their own"
        )
    if len(row) == PAIR:
        refuse_other_prompt(*row)
    if row and not row[-1].num_learned:
        raise DataError("nothing of it is learned", fix="take the row out, or give it an answer")
