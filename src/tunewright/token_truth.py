"""The truth about every token of a row: what the model is given, and what it learns of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tunewright.backends.chat_reader import ChatReader, RowError
from tunewright.backends.folder import read_config
from tunewright.backends.token_view import Piece, rendered
from tunewright.data.prepare import read_parts, rows_of_parts
from tunewright.data.rows import Rows
from tunewright.errors import DataError
from tunewright.history.request import read_request
from tunewright.pretrained.catalog import resolve_model
from tunewright.recipe.schema import Recipe

ANSWERS = ("preferred", "other")  # of a row with two


def tokens(
    source: str | Path, row: int, *, settings: Sequence[str] = (), **keys: Any
) -> list[dict[str, Any]]:
    """A row of a file as the model of a recipe is given it.

    Args:
        source: as for `run`. row: its line, or its number where rows have no lines.
    Returns:
        [{"place", "part", "pieces"}], a piece being text of tokens that fare alike: see `Piece`.
        One for a conversation; for a preference the prompt with each answer.
    Raises:
        DataError: no such row, or rows that are no conversations.
    """
    recipe = read_request(source, keys, settings)
    parts, columns = rows_of_parts(read_parts(recipe.data), recipe.data, recipe.task)
    if columns.form is None:
        raise DataError(
            f"the rows of {source} have labels: all of a text is read, and none of it is learned",
            fix="give conversations, texts to write, or preferences",
        )
    rows = next(iter(parts.values()))
    at = [place for place, number in enumerate(rows.numbers.tolist()) if number == row]
    if not at:
        raise DataError(
            f"there is no {rows.unit} {row} in {rows.source}",
            fix=f"give one from {rows.numbers.min()} to {rows.numbers.max()}",
        )
    path = resolve_model(recipe.model, revision=recipe.revision).path
    return token_rows(path, recipe, rows, at)


def token_rows(path: Path, recipe: Recipe, rows: Rows, at: Sequence[int]) -> list[dict[str, Any]]:
    """See `tokens`: of some rows, by the tokenizer of a model folder."""
    data, longest = recipe.data, recipe.train.max_length
    reader = ChatReader(
        path,
        read_config(path),
        learn=data.learn,
        too_long=data.too_long,
        chat_template=data.chat_template,
        new_tokens=recipe.adapt.new_tokens,
    )
    limit = (longest if isinstance(longest, int) else None) or reader.longest_input or 0
    try:
        read = reader.marked([rows.texts[i] for i in at])
    except RowError as error:  # known here by its place
        raise DataError(f"{rows.place(at[error.row])}: {error.why}", fix=error.fix) from None
    found = []
    for row, marked in zip(at, read, strict=True):
        parts = (
            dict(zip(ANSWERS, marked[1:], strict=True)) if len(marked) > 1 else {"row": marked[0]}
        )
        for part, each in parts.items():
            pieces = rendered(each.cut_at(limit), reader.tokenizer, avoided=part == ANSWERS[1])
            found.append(
                {
                    "place": rows.place(row),
                    "part": part,
                    "learned": each.cut_at(limit).num_learned,
                    "pieces": [piece._asdict() for piece in pieces],
                }
            )
    return found


def pieces_of(row: dict[str, Any]) -> list[Piece]:
    """The inverse of how `tokens` writes them."""
    return [Piece(**piece) for piece in row["pieces"]]
