"""The page of a comparison: differences, curves over each other, the settings that differ."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tunewright import durable
from tunewright.evaluation import charts
from tunewright.evaluation.metrics import HIGHER_IS_BETTER
from tunewright.evaluation.report import page
from tunewright.evaluation.shown import in_percent, word

COLOURS = ("first", "second", "third", "fourth", "fifth", "sixth")


def write_comparison(
    path: Path, found: Mapping[str, Any], curves: Mapping[str, Mapping[str, Any]]
) -> None:
    """Write what `compare` found as one self-contained page.

    Args:
        curves: run → as `facts.curves` gives them.
    """
    from markupsafe import Markup

    text = page(
        "compared.html.jinja",
        found=found,
        letters=letters(run["run"] for run in found["runs"]),
        drawn={name: Markup(svg) for name, svg in _drawings(found, curves).items()},  # noqa: S704
        higher=HIGHER_IS_BETTER[found["metric"]],
    )
    durable.write_bytes(path, text.encode("utf-8"))


def letters(names: Any) -> dict[str, str]:
    """A letter for each run, as their names are long.

    >>> letters(["20260102-030405-tickets-0a1b2c", "20260102-030405-tickets-0a1b2d"])
    {'20260102-030405-tickets-0a1b2c': 'A', '20260102-030405-tickets-0a1b2d': 'B'}
    """
    return {name: chr(ord("A") + at) if at < 26 else str(at) for at, name in enumerate(names)}


def _drawings(found: Mapping[str, Any], curves: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    metric = found["metric"]
    letter = letters(curves)
    lines = [
        charts.Series(letter[run], charts.points(each["validation"], metric), COLOURS[at % 6])
        for at, (run, each) in enumerate(curves.items())
    ]
    scores = [(letter[run["run"]], run["score"]) for run in found["runs"]]
    return {
        "curves": charts.learning_curve(
            [line for line in lines if line.points],
            title=word(metric),
            factor=100 if in_percent(metric) else 1,
        ),
        "forest": charts.forest(metric, scores),
    }
