"""`tunewright test`"""

from __future__ import annotations


def test_command(run: str, *, require: tuple[str, ...] = (), json: bool = False) -> int:  # noqa: PT028
    """Open the seal: final scores and final verdict. Every look is written down and counted.

    Parameters
    ----------
    run
        A run that is done.
    require
        better-than=NAME, a baseline or an earlier run: end with 1 unless this run is.
    json
        Print result.json.
    """
    from tunewright.cli.main import say_json
    from tunewright.cli.run import say_required
    from tunewright.history.folder import find_run
    from tunewright.judging import test
    from tunewright.requiring import held_to, requirements

    asked = requirements(require)
    folder = find_run(run)
    held_to(folder, asked)  # what cannot be answered is refused before the look
    result = test(run)
    if json:
        say_json(result)
        return say_required(folder, asked)
    from rich.console import Console
    from rich.markup import escape

    out = Console(highlight=False, soft_wrap=True)
    out.print(f"[bold]{escape(result['verdict']['sentence'])}[/bold]")
    out.print(f"looks at this test part so far: {result['test']['looks']}")
    out.print(f"report  {escape(str(folder / 'report.html'))}")
    return say_required(folder, asked)
