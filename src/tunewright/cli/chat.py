"""`tunewright chat`"""

from __future__ import annotations

import sys


def chat_command(
    run: str,
    *,
    text: str | None = None,
    system: str | None = None,
    most_tokens: int = 256,
    temperature: float = 0.0,
    seed: int = 0,
    json: bool = False,
) -> int:
    """Talk to a run's model and to the model it was made from, side by side.

    Parameters
    ----------
    run
        A run (folder, name, id or last) of text-generation or preference.
    text
        One message, instead of those that are typed or piped, a line each.
    system
        The system message.
    most_tokens
        Of an answer.
    temperature
        0 for the likeliest token each time; higher for more variety.
    seed
        Of the draws, the same for both.
    json
        One JSON document: the whole talk.
    """
    from rich.console import Console
    from rich.markup import escape

    from tunewright.cli.main import say_json
    from tunewright.writing import chat

    talk = chat(run, system=system, most_tokens=most_tokens, temperature=temperature, seed=seed)
    out = Console(highlight=False, soft_wrap=True)
    typed = text is None and sys.stdin.isatty()
    if typed:
        out.print("[dim]an empty line ends the talk[/dim]")
    for line in [text] if text is not None else iter(lambda: _next_line(typed), ""):
        for name, answer in talk.answers(line):
            if not json:
                style = "bold green" if name == "tuned" else "bold"
                out.print(f"[{style}]{name:<5}[/] {escape(answer)}")
    if json:
        say_json(talk.said)
    return 0


def _next_line(typed: bool) -> str:
    """The next line that says something; "" at the end."""
    if typed:
        sys.stdout.write("you   ")
        sys.stdout.flush()
    for line in sys.stdin:
        if typed or line.strip():
            return line.strip()
    return ""
