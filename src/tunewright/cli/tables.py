"""Tables that are whole in a pipe, where there is no screen to fit."""

from __future__ import annotations

from rich.console import Console

PIPE_WIDTH = 400


def wide_console() -> Console:
    """As wide as the screen, or wide enough for any table when there is none."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=PIPE_WIDTH)
