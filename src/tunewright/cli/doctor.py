"""`tunewright doctor`"""

from __future__ import annotations


def doctor_command(*, json: bool = False) -> int:
    """What is installed, which device, what would not work and how to mend it.

    Parameters
    ----------
    json
        Print one JSON document.
    """
    from tunewright.cli.main import say_json
    from tunewright.diagnosis import doctor

    facts = doctor()
    if json:
        say_json(facts)
        return int(bool(facts["problems"]))
    from rich.console import Console
    from rich.markup import escape

    out = Console(highlight=False, soft_wrap=True)
    for name, value in facts.items():
        if name != "problems":
            out.print(f"[bold]{name:<10}[/bold] {escape(_plain(value))}")
    for problem in facts["problems"]:
        out.print(f"[red]problem[/red] {escape(problem['what'])}\n  fix: {escape(problem['fix'])}")
    if not facts["problems"]:
        out.print("no problems found")
    return int(bool(facts["problems"]))


def _plain(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_plain(inner)}" for key, inner in value.items() if inner != "")
    if isinstance(value, list):
        return ", ".join(_plain(inner) for inner in value) or "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.1f}" if isinstance(value, float) else str(value)
