"""`tunewright check`"""

from __future__ import annotations

from json import dumps as as_json
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

if TYPE_CHECKING:
    from rich.console import Console

SCREEN = 6  # findings, each of about three lines
_COLOURS = {"error": "red", "warning": "yellow", "note": "cyan"}


def check_command(
    source: str,
    *,
    set_: Annotated[tuple[str, ...], Parameter(name="--set")] = (),
    model: str | None = None,
    row: int | None = None,
    fix: str | None = None,
    exclude: str | None = None,
    html: str | None = None,
    all_: Annotated[bool, Parameter(name="--all", negative="")] = False,
    json: bool = False,
) -> int:
    """Say what is wrong with data, with place and fix. Exit 1 when a finding is an error.

    Parameters
    ----------
    source
        As for run: a data file, a folder with train/validation/test files, or a recipe.
    set_
        Any recipe key, as in --set data.columns.text=review.
    model
        Look with this pre-trained model too, at the rows that are not for the test: for labels
        that look wrong, outliers, and what of long rows is cut. Takes as long as reading them.
    row
        Show this line of conversations or preferences as the model is given it: learned tokens
        are green and underlined (in a pipe within ⟦ ⟧), what ends an answer is reversed, what is
        cut is struck.
    fix
        Write a cleaned copy here (a folder where there are several parts), without empty rows,
        copies and leaks, and every change to the file of that name with .changes.jsonl behind it.
    exclude
        List the rows that a cleaned copy would be without here, for --set data.exclude=LIST.jsonl.
    html
        Write one page to this file: charts, rows to read by finding, and a choice for each to keep it
        or to leave it out.
    all_
        Show every finding with three rows; without it, the worst that fit a screen.
    json
        Print the findings as one JSON document.
    """
    from tunewright.checking import check
    from tunewright.cli.main import say_json

    if model is not None:
        set_ = (f"model={as_json(model)}", *set_)
    if row is not None:
        return _show_tokens(source, row, set_, json=json)

    found = check(source, settings=set_, fix=fix, exclude=exclude, html=html)
    if json:
        say_json(found)
    else:
        _show(found["findings"], every=all_)
        _show_not_looked_for(found.get("not_looked_for", {}))
        _show_written(found, html)
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
        what = "learned to be avoided" if each["part"] == "other" else "learned"
        out.print(f"[bold]{escape(each['place'])}{part}[/bold]: {each['learned']} tokens {what}")
        pieces = pieces_of(each)
        out.print(terminal_view(pieces) if out.is_terminal else plain_view(pieces), markup=False)
    return 0


def _show_not_looked_for(codes: dict[str, str]) -> None:
    from rich.console import Console

    out = Console(highlight=False, soft_wrap=True)
    for code, why in codes.items():
        out.print(f"{code} was not looked for: {why}", markup=False)


def _show_written(found: dict[str, Any], page: str | None) -> None:
    from rich.console import Console

    out = Console(highlight=False, soft_wrap=True)
    if "fixed" in found:
        fixed = found["fixed"]
        out.print(f"{fixed['path']}: a cleaned copy, with {fixed['changes']} changes", markup=False)
        out.print(f"{fixed['changes_path']}: each of them", markup=False)
    if "excluded" in found:
        listed = found["excluded"]
        out.print(f"{listed['path']}: {listed['rows']} rows to leave out", markup=False)
    if page is not None:
        out.print(f"{page}: the page to read", markup=False)


def _line(row: dict[str, str]) -> str:
    """A row in one line: what is wrong in which field, else the beginning of its text."""
    if "field" in row:
        return f"{row['place']}, {row['field']}: {row['problem']}"
    near = f", near {row['near']}" if "near" in row else ""
    doubt = f" ({row['label']}? rather {row['suggested']})" if "suggested" in row else ""
    return f"{row['place']}{near}{doubt}: {' | '.join(row['text'].splitlines())}"


def _show(findings: list[dict[str, Any]], *, every: bool) -> None:
    from rich.console import Console

    out = Console(highlight=False, soft_wrap=True)
    if not findings:
        out.print("no problems were found")
        return
    severities = [str(finding["severity"]) for finding in findings]
    counts = [(severities.count(name), name) for name in _COLOURS if name in severities]
    out.print(", ".join(f"{count} {name}{'s' if count > 1 else ''}" for count, name in counts))
    shown = findings if every or len(findings) <= SCREEN + 1 else findings[:SCREEN]
    for finding in shown:
        _show_one(out, finding, num_rows=3 if every or len(findings) <= 3 else 1)
    if rest := findings[len(shown) :]:
        named = ", ".join(f"{finding['code']} ({finding['count']:,})" for finding in rest)
        out.print(f"and {len(rest)} more, with --all: {named}")


def _show_one(out: Console, finding: dict[str, Any], *, num_rows: int) -> None:
    from rich.markup import escape

    severity = str(finding["severity"])
    head = f"[{_COLOURS[severity]}]{severity:<8}[/] [bold]{escape(str(finding['code']))}[/bold]"
    out.print(f"{head}: {escape(str(finding['message']))}")
    for row in finding["rows"][:num_rows]:
        out.print(f"         {escape(_line(row))}")
    out.print(f"         fix: {escape(str(finding['fix']))}")
