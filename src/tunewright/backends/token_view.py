"""What people see of a row: the text that the model is given, and what it learns of it."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from rich.text import Text

from tunewright.backends.learned import Marked

LEARNED, AVOIDED, STOP, CUT = "green underline", "red underline", "reverse", "strike"
SHOWN_CONTROLS = str.maketrans(
    {code: 0x2400 + code for code in range(0x20) if chr(code) not in "\n\t"} | {0x7F: 0x2421}
)
"""A terminal would obey control characters; their pictures it only shows."""


class Piece(NamedTuple):
    """Text of neighbouring tokens that fare alike.

    Args:
        learned: the model learns to write it.
        is_stop: it ends a turn.
        is_cut: it is past what the model is given.
        is_avoided: the model learns to write it less than the answer that is preferred to it.
    """

    text: str
    learned: bool
    is_stop: bool
    is_cut: bool
    is_avoided: bool = False


def rendered(marked: Marked, tokenizer: Any, *, avoided: bool = False) -> list[Piece]:
    """The row's tokens as text, decoded from their numbers as the model is given them.

    Args:
        avoided: its answer is the one of two that is not preferred.
    """
    is_cut = np.arange(len(marked.ids)) >= marked.kept
    states = np.stack([marked.learned & ~is_cut, marked.stops & ~is_cut, is_cut], axis=1)
    borders = np.flatnonzero((states[1:] != states[:-1]).any(axis=1)) + 1
    ends = [*borders.tolist(), len(marked.ids)] if len(marked.ids) else []
    found = []
    for text, end in zip(_texts(tokenizer, marked.ids, ends), ends, strict=True):
        taught, is_stop, past = map(bool, states[end - 1])
        found.append(Piece(text, taught and not avoided, is_stop, past, taught and avoided))
    return found


def _texts(tokenizer: Any, ids: np.ndarray, ends: list[int]) -> Iterator[str]:
    """The text between each end and the one before; spaces depend on what is before them."""
    before, first = "", 0
    for end in ends:
        through = _decoded(tokenizer, ids[:end])
        part = through[len(before) :]
        yield part if through.startswith(before) else _decoded(tokenizer, ids[first:end])
        before, first = through, end


def _decoded(tokenizer: Any, ids: np.ndarray) -> str:
    text: str = tokenizer.decode(
        ids.tolist(), skip_special_tokens=False, clean_up_tokenization_spaces=False
    )
    return text


def terminal_view(pieces: Sequence[Piece]) -> Text:
    """For a terminal: what is learned is green and underlined, what is learned to be avoided red, a
    stop reversed, what is cut struck.
    """
    view = Text()
    for piece in pieces:
        kinds = (
            (piece.learned, LEARNED),
            (piece.is_avoided, AVOIDED),
            (piece.is_stop, STOP),
            (piece.is_cut, CUT),
        )
        style = " ".join(style for holds, style in kinds if holds)
        view.append(piece.text.translate(SHOWN_CONTROLS), style)
    return view


def plain_view(pieces: Sequence[Piece]) -> str:
    """For a pipe: what is learned stands in ⟦ ⟧, to be avoided in ⟦not: ⟧, what is cut in ⟪ ⟫.

    >>> plain_view([Piece("Hi", False, False, False), Piece("Yes", True, False, False)])
    'Hi⟦Yes⟧'
    """
    marks = (("⟦{}⟧", "learned"), ("⟦not: {}⟧", "is_avoided"), ("⟪{}⟫", "is_cut"))
    found = []
    for piece in pieces:
        mark = next((mark for mark, kind in marks if getattr(piece, kind)), "{}")
        found.append(mark.format(piece.text.translate(SHOWN_CONTROLS)))
    return "".join(found)


def html_view(pieces: Sequence[Piece]) -> str:
    """For a page: spans of the classes `learned`, `avoided`, `stop` and `cut`, for its own style.

    >>> html_view([Piece("a < b", True, False, False), Piece(" c", False, False, False)])
    '<span class="learned">a &lt; b</span> c'
    """
    return "".join(_span(piece) for piece in pieces)


def _span(piece: Piece) -> str:
    kinds = (
        (piece.learned, "learned"),
        (piece.is_avoided, "avoided"),
        (piece.is_stop, "stop"),
        (piece.is_cut, "cut"),
    )
    names = " ".join(name for holds, name in kinds if holds)
    text = html.escape(piece.text)
    return f'<span class="{names}">{text}</span>' if names else text
