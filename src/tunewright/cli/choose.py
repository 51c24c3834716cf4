"""`tunewright choose`"""

from __future__ import annotations

from json import dumps as as_json
from typing import Annotated, Any

from cyclopts import Parameter


def choose_command(
    source: str,
    *,
    models: str = "",
    set_: Annotated[tuple[str, ...], Parameter(name="--set")] = (),
    seed: int = 0,
    json: bool = False,
) -> int:
    """Rank pre-trained models on your own rows, before anything is tuned.

    The score that decides is that of a linear probe, cross-validated on at most 3,000 rows of
    training and validation; rows that a run would seal are left alone.

    Parameters
    ----------
    source
        As for run: a recipe, a data file, a folder, a Hugging Face data set id.
    models
        Names, folders or hub ids with commas between; without it, models of the catalog that need
        no hub.
    set_
        Any recipe key, as in --set data.columns.text=review.
    seed
        Decides which rows, and the folds.
    json
        Print one JSON document.
    """
    from tunewright.choosing import choose
    from tunewright.cli.main import say_json

    names = tuple(name.strip() for name in models.split(",") if name.strip())
    found = choose(source, models=names, settings=[f"seed={as_json(seed)}", *set_])
    if json:
        say_json(found)
    else:
        _show(found)
    return 0


def _show(found: dict[str, Any]) -> None:
    from rich.table import Table

    from tunewright.cli.tables import wide_console
    from tunewright.evaluation.shown import bounds, number, word

    out, metric = wide_console(), found["metric"]
    table = Table(
        *("model", "LogME", f"probe, {word(metric)}", "95 % interval", "from the best"),
        *("nearest rows", "H-score", "parameters", "MiB (to tune all)", "reads", "languages"),
        *("rows/s here", "licence"),
        box=None,
    )
    for each in found["candidates"]:
        score, apart = each["probe"], each["difference"]
        best = each["model"] == found["best"]
        table.add_row(
            each["model"],
            f"{each['log_me']:.3f}",
            number(metric, score["value"]),
            bounds(metric, score["low"], score["high"]),
            "" if best else bounds(metric, apart["low"], apart["high"]),
            number(metric, each["knn"]["value"]),
            "" if each["h_score"] is None else f"{each['h_score']:.2f}",
            f"{each['parameters']:,}",
            f"{each['weights_mib']:,.0f} ({each['tuning_mib']:,.0f})",
            _reads(found["task"], each["longest_input"]),
            each["languages"] or "",
            f"{each['rows_per_s']:,.0f}",
            each["licence"] or "",
        )
    out.print(table)
    for name, why in found["left_out"].items():
        out.print(f"{name} was left out: {why}", markup=False)
    out.print(_advice(found), markup=False)


def _reads(task: str, longest: int | None) -> str:
    """How much of a row a model reads; pictures are all made of one size."""
    if task == "image-classification":
        return ""
    return "any length" if longest is None else f"{longest:,} tokens"


def _advice(found: dict[str, Any]) -> str:
    """One sentence: the best, and the quickest of those that do as well with frozen layers."""
    best = found["best"]
    alike = [each for each in found["candidates"] if each["difference"]["high"] >= 0]
    quickest = max(alike, key=lambda each: each["rows_per_s"])
    said = f"{best} is the best of {len(found['candidates'])} on {found['rows']:,} rows"
    if quickest["model"] == best:
        return said
    return (
        f"{said}; with frozen layers {quickest['model']} does as well, as far as these rows can tell, "
        "and is the quickest of those"
    )
