"""`tunewright test`"""

from __future__ import annotations


def test_command(run: str, *, json: bool = False) -> int:  # noqa: PT028
    """Open the seal: final scores and final verdict. Every look is written down and counted.

    Parameters
    ----------
    run
        A run that is done.
    json
        Print result.json.
    """
    from tunewright.cli.main import say_json
    from tunewright.history.folder import find_run
    from tunewright.judging import test

    result = test(run)
    if json:
        say_json(result)
        return 0
    from rich.console import Console
    from rich.markup import escape

    out = Console(highlight=False, soft_wrap=True)
    out.print(f"[bold]{escape(result['verdict']['sentence'])}[/bold]")
    out.print(f"looks at this test part so far: {result['test']['looks']}")
    out.print(f"report  {escape(str(find_run(run) / 'report.html'))}")
    return 0
