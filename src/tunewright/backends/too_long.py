"""Rows of more tokens than the model is given: refused or cut, and never without a word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tunewright.backends.learned import Marked
from tunewright.errors import DataError

TooLong = Literal["refuse", "cut"]


class TooLongError(DataError):
    """Rows that are longer than the model is given.

    Args:
        rows: their numbers, from 0, that of which the error tells first.
    """

    def __init__(self, rows: Sequence[int], what: str, *, fix: str) -> None:
        super().__init__(what, fix=fix)
        self.rows = tuple(rows)


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


def cut(marked: Sequence[Marked], longest: int, how: TooLong, readable: int | None = None) -> Cut:
    """Rows of at most `longest` tokens.

    Args:
        how: with longer ones: 'refuse', or 'cut' their ends off.
        readable: tokens that the model can read of a row; None for any number.
    Raises:
        TooLongError: a row is longer, and is to be refused; or nothing that is learned is left of it.
    """
    lengths = [len(row.ids) for row in marked]
    over = {number for number, length in enumerate(lengths) if length > longest}
    most = max(lengths, default=0)
    if over and how == "refuse":
        number = lengths.index(most)
        raise TooLongError(
            [number, *sorted(over - {number})],
            f"{_rows(len(over), len(marked))} longer than {longest} tokens, "
            f"{_limit(longest, readable)}; this one, the longest, has {most}",
            fix=f"{_longer(most, readable)}, or set data.too_long to cut",
        )
    rows = [row.cut_at(longest) for row in marked]
    hopeless = [number for number in sorted(over) if not rows[number].num_learned]
    if hopeless:
        raise TooLongError(
            hopeless,
            f"the row has {lengths[hopeless[0]]} tokens, and nothing that is learned is among the "
            f"first {longest}",
            fix=f"{_longer(lengths[hopeless[0]], readable)}, or take the row out",
        )
    return Cut(rows, len(over), most)


def _limit(longest: int, readable: int | None) -> str:
    """What the limit is."""
    return "all that the model can read" if longest == readable else "which is train.max_length"


def _longer(wanted: int, readable: int | None) -> str:
    """How a row of so many tokens could be read whole."""
    if readable is None:
        return f"set train.max_length to {wanted} or more"
    if wanted <= readable:
        return f"set train.max_length to {wanted} or more (the model can read {readable})"
    return f"shorten rows to {readable} tokens, or take a model that reads {wanted}"


def _rows(count: int, among: int) -> str:
    return f"1 row of {among} is" if count == 1 else f"{count} rows of {among} are"
