"""Rows of more tokens than the model is given: refused or cut, and never without a word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tunewright.backends.learned import Marked
from tunewright.errors import DataError

TooLong = Literal["refuse", "cut"]


@dataclass(frozen=True)
class Cut:
    """What is left of rows.

    Args:
        rows: as the model is given them.
        num_cut: rows that were longer.
        longest: tokens of the longest row as it was.
    """

    rows: list[Marked]
    num_cut: int
    longest: int


def cut(marked: Sequence[Marked], longest: int, how: TooLong) -> Cut:
    """Rows of at most `longest` tokens.

    Args:
        how: with longer ones: 'refuse', or 'cut' their ends off.
    Raises:
        DataError: a row is longer, and is to be refused; or nothing that is learned is left of it.
    """
    lengths = [len(row.ids) for row in marked]
    over = {number for number, length in enumerate(lengths) if length > longest}
    most = max(lengths, default=0)
    if over and how == "refuse":
        number = lengths.index(most)
        raise DataError(
            f"{_rows(len(over), len(marked))} longer than {longest} tokens; "
            f"the longest, row {number + 1}, has {most}",
            fix=f"set train.max_length to {most}, or data.too_long to cut",
        )
    rows = [row.cut_at(longest) for row in marked]
    for number in sorted(over):
        if not rows[number].num_learned:
            raise DataError(
                f"row {number + 1} has {lengths[number]} tokens, and nothing that is learned is "
                f"among the first {longest}",
                fix="raise train.max_length, or take the row out",
            )
    return Cut(rows, len(over), most)


def _rows(count: int, among: int) -> str:
    return f"1 row of {among} is" if count == 1 else f"{count} rows of {among} are"
