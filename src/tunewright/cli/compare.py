"""`tunewright compare`"""

from __future__ import annotations

from pathlib import Path
from typing import Any


def compare_command(
    *runs: str, data: Path | None = None, html: Path | None = None, json: bool = False
) -> int:
    """Hold runs against the first one: paired differences, and the settings that differ.

    Parameters
    ----------
    runs
        Two or more: folder, name, id or last.
    data
        A labelled file that no run was trained on, instead of the validation rows they share.
    html
        Write a page with curves and changed rows.
    json
        Print one JSON document.
    """
    from tunewright.cli.main import say_json
    from tunewright.comparing import compare

    found = compare(*runs, data=data, html=html)
    if json:
        say_json(found)
    else:
        _show(found, html)
    return 0


def _show(found: dict[str, Any], page: Path | None) -> None:
    from rich.table import Table

    from tunewright.cli.tables import changed_rows, wide_console
    from tunewright.evaluation.compared_page import letters
    from tunewright.evaluation.shown import bounds, number, word

    out, metric = wide_console(), found["metric"]
    letter = letters(run["run"] for run in found["runs"])
    table = Table("", "run", word(metric), "95 % interval", *found["settings"], box=None)
    for at, run in enumerate(found["runs"]):
        score = run["score"]
        table.add_row(
            letter[run["run"]],
            run["run"],
            number(metric, score["value"]),
            bounds(metric, score["low"], score["high"]),
            *(str(values[at]) for values in found["settings"].values()),
        )
    out.print(table)
    for each in found["differences"]:
        text = each["sentence"]
        for name in (each["run"], each["against"]):
            text = text.replace(name, letter[name])
        out.print(text)
        if each["num_fixed"] is not None:
            out.print(f"  {each['num_fixed']} rows fixed, {each['num_broken']} broken")
            for line in changed_rows(each):
                out.print(f"  {line}", markup=False, soft_wrap=True)
    out.print(found["note"])
    if page is not None:
        out.print(f"page      {page}", markup=False)
