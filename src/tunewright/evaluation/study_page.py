"""The page of a search."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tunewright import durable
from tunewright.evaluation import study_charts
from tunewright.evaluation.metrics import HIGHER_IS_BETTER
from tunewright.evaluation.report import page
from tunewright.evaluation.shown import in_percent
from tunewright.evaluation.written import HIGHER_IS_BETTER as OF_ANSWERS

MOST_SLICES = 8


def write_study(path: Path, found: Mapping[str, Any], best_yaml: str) -> None:
    """Write what a search found as one self-contained page.

    Args:
        found: as `tuning.outcome.conclude` gives it.
    """
    durable.write_bytes(path, render(found, best_yaml).encode("utf-8"))


def render(found: Mapping[str, Any], best_yaml: str) -> str:
    """The page as text."""
    from markupsafe import Markup

    drawn = {name: Markup(svg) for name, svg in _drawings(found).items()}  # noqa: S704
    slices = [Markup(svg) for svg in _slices(found)]  # noqa: S704
    gain = found["gain"]
    tone = "open"
    if gain is not None:
        tone = "good" if gain["low"] > 0 else "bad" if gain["high"] < 0 else "open"
    higher = (HIGHER_IS_BETTER | OF_ANSWERS)[found["metric"]]
    turn = -1 if higher else 1
    table = sorted(
        found["table"], key=lambda row: (row["value"] is None, turn * (row["value"] or 0.0))
    )
    return page(
        "study.html.jinja",
        styles=("study.css",),
        found=found,
        table=table,
        drawn=drawn,
        slices=slices,
        rates=[Markup(study_charts.rates(each)) for each in found.get("rates", ())],  # noqa: S704
        tone=tone,
        best_yaml=best_yaml,
        keys=_keys(found),
    )


def _keys(found: Mapping[str, Any]) -> list[str]:
    """What varied, the most important first."""
    there = [key for key in found["space"] if any(key in row["settings"] for row in found["table"])]
    return sorted(there, key=lambda key: -found["importance"].get(key, 0.0))


def _dots(found: Mapping[str, Any]) -> list[study_charts.Dot]:
    factor = 100 if in_percent(found["metric"]) else 1
    return [
        study_charts.Dot(
            row["number"],
            factor * row["value"],
            row["settings"],
            pruned=row["state"] == "pruned",
            best=row["number"] == found["best"]["trial"],
        )
        for row in found["table"]
        if row["value"] is not None and row["same_as"] is None
    ]


def _drawings(found: Mapping[str, Any]) -> dict[str, str]:
    dots = _dots(found)
    higher = (HIGHER_IS_BETTER | OF_ANSWERS)[found["metric"]]
    return {
        "history": study_charts.history(found["metric"], dots, higher=higher),
        "importance": study_charts.bars(found["importance"]),
        "parallel": study_charts.parallel(
            found["metric"], dots, found["space"], _keys(found), higher=higher
        ),
    }


def _slices(found: Mapping[str, Any]) -> list[str]:
    dots = _dots(found)
    return [
        study_charts.slice_of(found["metric"], dots, key, found["space"][key])
        for key in _keys(found)[:MOST_SLICES]
    ]
