"""What became of the rows of a part, and what no training could learn from them."""

from __future__ import annotations

from dataclasses import dataclass

from tunewright.backends.chat_template import OTHER_TEMPLATE, ChatTemplate
from tunewright.backends.too_long import Cut
from tunewright.errors import DataError, ModelError


@dataclass(frozen=True)
class RowCounts:
    """Numbers to show.

    Args:
        rows, tokens, learned: that the model is given.
        turns: of the assistant that are learned.
        stops: tokens that are learned and end an answer.
        joined: turns before which serving would have other tokens, see `Turn`.
        cut: rows that were too long.
        longest: tokens of the longest row as it was.
    """

    rows: int
    tokens: int
    learned: int
    turns: int
    stops: int
    joined: int
    cut: int
    longest: int


def count(kept: Cut) -> RowCounts:
    """Of the rows that are left."""
    turns = [turn.is_joined for row in kept.rows for turn in row.turns if turn.first < row.kept]
    return RowCounts(
        rows=len(kept.rows),
        tokens=sum(row.kept for row in kept.rows),
        learned=sum(row.num_learned for row in kept.rows),
        turns=len(turns),
        stops=sum(row.num_stops for row in kept.rows),
        joined=sum(turns),
        cut=kept.num_cut,
        longest=kept.longest,
    )


def refuse_hopeless(counts: RowCounts, template: ChatTemplate) -> None:
    """Raise where all of the rows together teach what serving cannot use.

    Raises:
        ModelError: no answer ends with a token that stops, or most begin within a token.
        DataError: every such token is cut off.
    """
    if not counts.rows:
        return
    if not counts.stops and counts.cut == counts.rows:
        raise DataError(
            "every row is cut before its end, so the model would never learn to stop",
            fix=f"set train.max_length to {counts.longest}, or shorten the rows",
        )
    if not counts.stops:
        raise ModelError(_never_stops(template), fix=OTHER_TEMPLATE)
    if counts.joined > counts.turns / 2:
        raise ModelError(
            f"{counts.joined} of {counts.turns} answers begin within a token of what the chat "
            "template asks for them with (often by a space at its end), so serving could not ask "
            "as training did",
            fix=f"take spaces and line ends from the beginnings of answers; or {OTHER_TEMPLATE}",
        )


def _never_stops(template: ChatTemplate) -> str:
    if not template.stop_ids:
        return "neither the chat template nor the tokenizer has a token that ends an answer"
    return (
        f"the chat template ends an answer with {template.ending!r}, which has no token of the "
        "tokenizer in it, so the model would never learn to stop"
    )
