"""`tunewright evaluate`"""

from __future__ import annotations


def evaluate_command(run: str, *, data: str | None = None, json: bool = False) -> int:
    """Scores with intervals and error analysis, on validation or on a labelled file.

    Parameters
    ----------
    run
        A run that is done.
    data
        A labelled file; rows of the sealed test part are refused.
    json
        Print one JSON document.
    """
    from tunewright.cli.main import say_json
    from tunewright.judging import evaluate

    found = evaluate(run, data=data)
    if json:
        say_json(found)
        return 0
    from rich.markup import escape
    from rich.table import Table

    from tunewright.cli.tables import wide_console

    out = wide_console()
    table = Table("model", *found["scores"], title=f"{found['rows']:,} rows of {found['data']}")
    models = {"this model": found["scores"], **found["baselines"]}
    for name, scores in models.items():
        cells = [f"{s['value']:.4f} [{s['low']:.4f}, {s['high']:.4f}]" for s in scores.values()]
        table.add_row(name, *cells)
    out.print(table)
    for mistake in found["mistakes"][:5]:
        surely = mistake["confidence"]
        sure = "" if surely is None else f" ({surely:.2f})"
        shown = mistake.get("text") or mistake.get("image") or ""
        said = f"{mistake['predicted']}{sure}, is {mistake['label']}"
        out.print(f"{escape(said)}: {escape(shown[:120])}", soft_wrap=True)
    doubted = [row for row in found["suspects"] if row["suggested"] is not None]
    for row in doubted[:5]:
        shown = row.get("text") or row.get("image") or ""
        said = f"{row['place']} may be wrong: {row['label']}, rather {row['suggested']}"
        out.print(f"{escape(said)}: {escape(shown[:120])}", soft_wrap=True)
    out.print(escape(found["verdict"]["sentence"]), soft_wrap=True)
    return 0
