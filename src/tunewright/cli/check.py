"""`tunewright check`"""

from __future__ import annotations

from typing import Annotated, Any

from cyclopts import Parameter


def check_command(
    source: str,
    *,
    set_: Annotated[tuple[str, ...], Parameter(name="--set")] = (),
    row: int | None = None,
    fix: str | None = None,
    exclude: str | None = None,
    json: bool = False,
) -> int:
    """Say what is wrong with data, with place and fix. Exit 1 when a finding is an error.

    Parameters
    ----------
    source
        As for run: a data file, a folder with train/validation/test files, or a recipe.
    set_
        Any recipe key, as in --set data.columns.text=review.
    row
        Show this line of conversations or preferences as the model is given it: learned tokens
        are green and underlined (in a pipe within ⟦ ⟧), what ends an answer is reversed, what is
        cut is struck.
    fix
        Write a cleaned copy here (a folder where there are several parts), without empty rows,
        copies and leaks, and every change to the file of that name with .changes.jsonl behind it.
    exclude
        List the rows that a cleaned copy would be without here, for --set data.exclude=LIST.jsonl.
    json
        Print the findings as one JSON document.
    """
    from tunewright.checking import check
    from tunewright.cli.main import say_json

    if row is not None:
        return _show_tokens(source, row, set_, json=json)

    found = check(source, settings=set_, fix=fix, exclude=exclude)
    if json:
        say_json(found)
    else:
        _show(found["findings"])
        _show_written(found)
    return int(any(finding["severity"] == "error" for finding in found["findings"]))


def _show_tokens(source: str, row: int, settings: tuple[str, ...], *, json: bool) -> int:
    from rich.console import Console
    from rich.markup import escape

    from tunewright.backends.token_view import plain_view, terminal_view
    from tunewright.cli.main import say_json
    from tunewright.token_truth import pieces_of, tokens

    found = tokens(source, row, settings=settings)
    if json:
        say_json(found)
        return 0
    out = Console(highlight=False, soft_wrap=True)
    for each in found:
        part = "" if each["part"] == "row" else f", {each['part']}"
        out.print(f"[bold]{escape(each['place'])}{part}[/bold]: {each['learned']} tokens learned")
        pieces = pieces_of(each)
        out.print(terminal_view(pieces) if out.is_terminal else plain_view(pieces), markup=False)
    return 0


def _show_written(found: dict[str, Any]) -> None:
    from rich.console import Console

    out = Console(highlight=False, soft_wrap=True)
    if "fixed" in found:
        fixed = found["fixed"]
        out.print(f"{fixed['path']}: a cleaned copy, with {fixed['changes']} changes", markup=False)
        out.print(f"{fixed['changes_path']}: each of them", markup=False)
    if "excluded" in found:
        listed = found["excluded"]
        out.print(f"{listed['path']}: {listed['rows']} rows to leave out", markup=False)


def _line(row: dict[str, str]) -> str:
    """A row in one line: what is wrong in which field, else the beginning of its text."""
    if "field" in row:
        return f"{row['place']}, {row['field']}: {row['problem']}"
    near = f", near {row['near']}" if "near" in row else ""
    return f"{row['place']}{near}: {' | '.join(row['text'].splitlines())}"


def _show(findings: list[dict[str, object]]) -> None:
    from rich.console import Console
    from rich.markup import escape

    out = Console(highlight=False, soft_wrap=True)
    colours = {"error": "red", "warning": "yellow", "note": "cyan"}
    if not findings:
        out.print("no problems were found")
    for finding in findings:
        severity = str(finding["severity"])
        head = f"[{colours[severity]}]{severity:<8}[/] [bold]{escape(str(finding['code']))}[/bold]"
        out.print(f"{head}: {escape(str(finding['message']))}")
        rows = finding["rows"]
        for row in rows[:3] if isinstance(rows, list | tuple) else ():
            out.print(f"         {escape(_line(row))}")
        out.print(f"         fix: {escape(str(finding['fix']))}")
