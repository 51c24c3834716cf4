"""The report: one self-contained page about one run.

Everything on it comes from `facts`; a section whose facts are missing is left out. Texts and
labels are the users' data and may be hostile: the template escapes them, and the page forbids
itself scripts and requests.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tunewright import durable
from tunewright.evaluation import charts, heatmap
from tunewright.evaluation.metrics import HIGHER_IS_BETTER, METRICS
from tunewright.evaluation.shown import bounds, in_percent, number, word
from tunewright.evaluation.slices import FEWEST_ROWS
from tunewright.recipe.schema import UNLABELLED

LONGEST_TEXT = 300
FEW_CLASSES = 15  # longer tables are folded
FOLDER = Path(__file__).parent
# C0 controls but tab and newline, C1 controls, and lone surrogates
UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def write_report(path: Path, facts: dict[str, Any]) -> None:
    """Write the page for these facts, whole or not at all.

    Args:
        path: the .html file, replaced if it is there.
        facts: every key is optional, and a section without facts is left out: title, run_id,
            created, state, failure, not_finite, verdict, metric, part, scores, baselines, baseline_seconds,
            baseline_rows, left_out, sealed, curves, phases, plan, forgetting, labels, confusion,
            per_class, calibration, scatter, slices, mistakes, suspects, split, findings, choices,
            advice, learning_curve, recipe_yaml, commands, versions.
    """
    durable.write_bytes(path, render(facts).encode("utf-8"))


def render(facts: dict[str, Any]) -> str:
    """The page as text."""
    from markupsafe import Markup

    drawn = {name: Markup(svg) for name, svg in _drawings(facts).items()}  # noqa: S704
    return page("report.html.jinja", facts=_Facts(facts), drawn=drawn, **_derived(facts))


def page(template: str, *, styles: Sequence[str] = (), **values: Any) -> str:
    """A page of this folder's templates, in the house's style.

    Args:
        styles: CSS files of this folder that the page has beside the report's.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    pages = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.filters.update(clip=clip, percent=percent, count=count, seconds=seconds, decimal=decimal)
    pages.globals.update(number=number, bounds=bounds, word=word, in_percent=in_percent)
    sheets = ((FOLDER / name).read_text(encoding="utf-8") for name in ("report.css", *styles))
    css = Markup("".join(sheets))  # noqa: S704
    text = pages.get_template(template).render(css=css, **values)
    return UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)


class _Facts(dict[str, Any]):
    """Facts by attribute in the template; a missing one is None."""

    def __getattr__(self, name: str) -> Any:
        return self.get(name)


def _derived(facts: dict[str, Any]) -> dict[str, Any]:
    """What the template needs that is computed, not copied."""
    metric = facts.get("metric") or "accuracy"
    confusion, labels = facts.get("confusion"), _labels(facts)
    many = len(labels) > heatmap.MOST_CLASSES
    return {
        "metric": metric,
        "unlabelled": metric in {name for kind in UNLABELLED for name in METRICS[kind]},
        "tone": tone(facts.get("verdict")),
        "part": facts.get("part") or "validation",
        "scored": _scored(facts),
        "sliced": _sliced(facts.get("slices") or []),
        "fewest": FEWEST_ROWS,
        "higher_is_better": HIGHER_IS_BETTER,
        "pairs": heatmap.confused_pairs(confusion, labels) if confusion and many else [],
        "classes": _classes(facts.get("per_class") or []),
        "few": FEW_CLASSES,
        "with_pictures": any(
            row.get("thumbnail")
            for name in ("mistakes", "suspects")
            for row in facts.get(name) or []
        ),
        "doubted": [row for row in facts.get("suspects") or [] if row["code"] == "label-error"],
        "far": [row for row in facts.get("suspects") or [] if row["code"] == "outlier"],
    }


def _sliced(entries: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """What slices are by → those of them, in the order given."""
    found: dict[str, list[dict[str, Any]]] = {}
    for each in entries:
        found.setdefault(each.get("by", "length"), []).append(each)
    return found


def _labels(facts: dict[str, Any]) -> list[str]:
    """The classes' names; their numbers when they have none."""
    num_classes = len(facts.get("confusion") or [])
    return facts.get("labels") or [str(k) for k in range(num_classes)]


def tone(verdict: dict[str, Any] | None) -> str:
    """good, bad or open: how the verdict turned out."""
    if verdict and verdict.get("better_than_baseline"):
        return "good"
    difference = (verdict or {}).get("difference")
    return "bad" if difference and difference["high"] < 0 else "open"


def _scored(facts: dict[str, Any]) -> list[dict[str, Any]]:
    """Per part: its metrics, and the rows of its table, this model first."""
    scores, baselines = facts.get("scores") or {}, facts.get("baselines") or {}
    took, drawn = facts.get("baseline_seconds") or {}, facts.get("baseline_rows") or {}
    parts = []
    for part in ("validation", "test"):
        own = scores.get(part)
        if not own:
            continue
        models = [{"name": "this model", "scores": own, "seconds": None}] + [
            {"name": _fitted_on(name, drawn), "scores": values, "seconds": took.get(name)}
            for name, values in (baselines.get(part) or {}).items()
        ]
        parts.append({"part": part, "metrics": list(own), "models": models})
    return parts


def _fitted_on(name: str, drawn: Mapping[str, int]) -> str:
    return f"{name}, fitted on {drawn[name]:,} drawn rows" if name in drawn else name


def _classes(per_class: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """As given; the weakest first when there are many."""
    if len(per_class) <= FEW_CLASSES:
        return list(per_class)
    return sorted(per_class, key=lambda entry: float(entry["f1"]))


def _drawings(facts: dict[str, Any]) -> dict[str, str]:
    """Every chart that has its facts; "" for the others."""
    metric = facts.get("metric") or "accuracy"
    confusion, labels = facts.get("confusion"), _labels(facts)
    small = confusion and len(labels) <= heatmap.MOST_CLASSES
    return {
        **_curves(metric, facts.get("curves") or {}),
        "confusion": heatmap.confusion_map(confusion, labels) if confusion and small else "",
        "calibration": charts.reliability(facts.get("calibration") or []),
        "forest": _forest(metric, facts),
        "scatter": charts.scatter(facts.get("scatter") or []),
    }


def _curves(metric: str, curves: dict[str, Any]) -> dict[str, str]:
    """The loss, and the deciding metric with its best point."""
    phases = curves.get("phases") or []
    validation = curves.get("validation") or []
    metric = curves.get("metric", metric)  # what picks the step may not give the verdict
    nats = "loss" if any("loss" in entry for entry in validation) else "log_loss"
    losses = [
        charts.Series("training loss", charts.points(curves.get("train") or [], "loss"), "first"),
        charts.Series(f"validation {word(nats)}", charts.points(validation, nats), "second"),
    ]
    deciding = [
        charts.Series(f"validation {word(metric)}", charts.points(validation, metric), "second")
    ]
    turn = 1 if HIGHER_IS_BETTER.get(metric, True) else -1
    best = max(
        charts.points(curves.get("best") or [], "value"), key=lambda p: turn * p[1], default=None
    )
    factor = 100 if in_percent(metric) else 1
    return {
        "loss": charts.learning_curve([s for s in losses if s.points], title="Loss", phases=phases),
        "metric": charts.learning_curve(
            [s for s in deciding if s.points],
            title=word(metric),
            factor=factor,
            phases=phases,
            best=best,
        ),
    }


def _forest(metric: str, facts: dict[str, Any]) -> str:
    """This model and the baselines on the part that the verdict is about."""
    part = facts.get("part") or "validation"
    own = ((facts.get("scores") or {}).get(part) or {}).get(metric)
    others = (facts.get("baselines") or {}).get(part) or {}
    if not own:
        return ""
    entries = [(name, values[metric]) for name, values in others.items() if values.get(metric)]
    return charts.forest(metric, [("this model", own), *entries])


def clip(text: object) -> str:
    """At most 300 characters, the last one … when something was cut."""
    string = str(text)
    return string if len(string) <= LONGEST_TEXT else string[: LONGEST_TEXT - 1] + "…"


def percent(share: float | None) -> str:
    """A share as "91.4 %"; a dash when unknown."""
    return "–" if share is None else f"{100 * share:.1f} %"


def count(value: float | None) -> str:
    """A whole number with thousands apart; a dash when unknown."""
    return "–" if value is None else f"{value:,.0f}"


def decimal(value: float | str | None) -> str:
    """Three significant digits, such as 2e-05, 0.95, 120; a dash when unknown."""
    if value is None or isinstance(value, str):
        return value or "–"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def seconds(value: float | None) -> str:
    """A duration: "0.4 s", "42 s", "3 min 20 s", "1 h 12 min"; a dash when unknown."""
    if value is None or not math.isfinite(value):
        return "–"
    if value < 60:
        return f"{value:.1f} s" if value < 10 else f"{value:.0f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
