"""`tunewright evaluate`"""

from __future__ import annotations

from typing import Any


def evaluate_command(
    run: str, *, data: str | None = None, slices: str | None = None, json: bool = False
) -> int:
    """Scores with intervals and error analysis, on validation or on a labelled file.

    Parameters
    ----------
    run
        A run that is done.
    data
        A labelled file; rows of the sealed test part are refused.
    slices
        Columns by whose values scores are shown, with commas between; else evaluate.slices.
    json
        Print one JSON document.
    """
    from tunewright.cli.main import say_json
    from tunewright.judging import evaluate

    columns = None if slices is None else [each for each in slices.split(",") if each]
    found = evaluate(run, data=data, slices=columns)
    if json:
        say_json(found)
        return 0
    from rich.markup import escape
    from rich.table import Table

    from tunewright.cli.tables import changed_rows, wide_console

    out = wide_console()
    table = Table("model", *found["scores"], title=f"{found['rows']:,} rows of {found['data']}")
    models = {"this model": found["scores"], **found["baselines"]}
    for name, scores in models.items():
        cells = [f"{s['value']:.4f} [{s['low']:.4f}, {s['high']:.4f}]" for s in scores.values()]
        table.add_row(name, *cells)
    out.print(table)
    if found["thresholds"]:
        fit = found["thresholds"]
        changed = f"with one half it would be {fit['at_half']:.4f}; {fit['rows_changed']:,} rows"
        out.print(f"{fit['metric']} {fit['at_thresholds']:.4f} by thresholds, {changed} differ")
    if found["slices"]:
        out.print(_sliced(found))
    for mistake in found["mistakes"][:5]:
        surely = mistake["confidence"]
        sure = "" if surely is None else f" ({surely:.2f})"
        shown = mistake.get("text") or mistake.get("image") or ""
        said = f"{mistake['predicted']}{sure}, is {mistake['label']}"
        out.print(f"{escape(said)}: {escape(shown[:120])}", soft_wrap=True)
    changed = found["changed"]
    if changed is not None:
        counts = f"{changed['num_fixed']} rows fixed, {changed['num_broken']} broken"
        out.print(f"beside {changed['against']}: {counts}")
        for line in changed_rows(changed):
            out.print(f"  {line}", markup=False, soft_wrap=True)
    doubted = [row for row in found["suspects"] if row["suggested"] is not None]
    for row in doubted[:5]:
        shown = row.get("text") or row.get("image") or ""
        said = f"{row['place']} may be wrong: {row['label']}, rather {row['suggested']}"
        out.print(f"{escape(said)}: {escape(shown[:120])}", soft_wrap=True)
    out.print(escape(found["verdict"]["sentence"]), soft_wrap=True)
    return 0


def _sliced(found: dict[str, Any]) -> Any:
    """The scores of parts of the rows, as a table."""
    from rich.markup import escape
    from rich.table import Table

    from tunewright.evaluation.shown import bounds, number, word

    metric = found["metric"]
    table = Table("by", "rows of", "rows", word(metric), "95 % interval", box=None)
    for each in found["slices"]:
        score = each["score"]
        cells = ["few", ""]
        if score is not None:
            low_to_high = bounds(metric, score["low"], score["high"])
            cells = [number(metric, score["value"]), low_to_high]
        table.add_row(escape(each["by"]), escape(each["slice"]), f"{each['rows']:,}", *cells)
    return table
