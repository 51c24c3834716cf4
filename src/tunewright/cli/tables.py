"""Tables that are whole in a pipe, where there is no screen to fit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console

PIPE_WIDTH = 400
SHOWN_ROWS, SHOWN_CHARACTERS = 3, 120


def wide_console() -> Console:
    """As wide as the screen, or wide enough for any table when there is none."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=PIPE_WIDTH)


def changed_rows(found: Mapping[str, Any]) -> Iterator[str]:
    """The first rows fixed and broken, a line each; see `evaluation.changed`."""
    for side in ("fixed", "broken"):
        for row in found[side][:SHOWN_ROWS]:
            text = str(row.get("text") or row.get("image"))[:SHOWN_CHARACTERS]
            said = f"{row['answer']}, not {row['other']}; is {row['label']}"
            yield f"{side}: {row['place']}: {said}: {text}"
