"""What to try next, by what was measured: each with its evidence and a command."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tunewright.evaluation.intervals import Interval
from tunewright.evaluation.metrics import HIGHER_IS_BETTER
from tunewright.evaluation.shown import bounds, in_percent, number, word

DOUBTED_SHARE, FEWEST_JUDGED = 0.01, 100  # of fewer rows a probe doubts too much
LEANS = 0.25  # of an interval: a gain that is more of it is rather one than none
OVERFIT = 1.1  # log-loss at the end over the least one
LOSSES = ("log_loss", "loss", "rmse")


@dataclass(frozen=True)
class Evidence:
    """What a run left that says what to try.

    Args:
        metric: the deciding one.
        doubling: what a probe gains from the second half of the rows; None where not measured.
        doubted, rows: labels that look wrong, of so many.
        history: every evaluation, its step and scores. best_step: the one that was kept.
        epochs: of each phase; None where phases were given by hand. phases: what is told of each.
        differences: of the verdict, from each baseline.
        recipe: where it is. data: what it was trained on. model: what from. num_blocks: of the model.
        strategy: `train.strategy`.
    """

    metric: str
    recipe: str
    data: str
    model: str
    strategy: str
    num_blocks: int
    epochs: int | None
    best_step: int
    rows: int
    doubted: int = 0
    doubling: Interval | None = None
    history: Sequence[Mapping[str, Any]] = ()
    phases: Sequence[Mapping[str, Any]] = ()
    differences: Mapping[str, Interval] = field(default_factory=dict)


def advise(found: Evidence) -> list[dict[str, str]]:
    """[{"what", "evidence", "command"}], what was seen most surely first; empty where nothing was."""
    rules = (_more_rows, _cleaner_labels, _longer, _less, _deeper, _the_head_alone)
    return [said for rule in rules if (said := rule(found)) is not None]


def _more_rows(found: Evidence) -> dict[str, str] | None:
    gain = found.doubling
    if gain is None or gain["low"] <= 0:
        return None
    return {
        "what": "more rows like these",
        "evidence": f"with all rows, a probe on the model as it was has {_points(found.metric, gain)} "
        "more than with half of them",
        "command": f"tunewright run MORE.csv --model {found.model}",
    }


def _cleaner_labels(found: Evidence) -> dict[str, str] | None:
    if found.rows < FEWEST_JUDGED or found.doubted < DOUBTED_SHARE * found.rows:
        return None
    return {
        "what": "read the labels that look wrong, and correct those that are",
        "evidence": f"{found.doubted:,} of {found.rows:,} rows look like another label",
        "command": f"tunewright check {found.data} --model {found.model} --html suspects.html",
    }


def _longer(found: Evidence) -> dict[str, str] | None:
    loss = _losses(found)
    falling = len(loss) > 1 and loss[-1] < loss[-2]
    if found.epochs is None or not falling or found.best_step != found.history[-1]["step"]:
        return None
    return {
        "what": "train longer",
        "evidence": "the last step was the best, and the loss on validation was still falling",
        "command": f"tunewright run {found.recipe} --set train.epochs={2 * found.epochs}",
    }


def _less(found: Evidence) -> dict[str, str] | None:
    loss = _losses(found)
    if len(loss) < 3 or loss[-1] <= OVERFIT * min(loss):
        return None
    if found.best_step == found.history[-1]["step"]:  # by what decides, more was better
        return None
    step = found.history[loss.index(min(loss))]["step"]
    return {
        "what": "learn these rows less by heart: other views of them, or fewer layers",
        "evidence": f"the loss on validation was least at step {step} ({min(loss):.3f}) and "
        f"{loss[-1]:.3f} at the end",
        "command": f"tunewright run {found.recipe} --set augment.methods=auto",
    }


def _deeper(found: Evidence) -> dict[str, str] | None:
    trained = [phase for phase in found.phases if phase["epochs"]]
    if len(trained) < 2 or trained[-1]["trainable_blocks"] >= found.num_blocks:
        return None
    if trained[-1]["best_step"] <= trained[-1]["first_step"]:
        return None
    return {
        "what": "train more layers",
        "evidence": f"the phase with the most of them ({trained[-1]['name']}) found the best step, "
        f"and leaves {found.num_blocks - trained[-1]['trainable_blocks']} frozen",
        "command": f"tunewright run {found.recipe} --set train.strategy=full",
    }


def _the_head_alone(found: Evidence) -> dict[str, str] | None:
    apart = found.differences.get("probe")
    if apart is None or apart["low"] > 0 or found.strategy in ("head", "probe"):
        return None
    if apart["value"] > LEANS * (apart["high"] - apart["low"]):
        return None
    return {
        "what": "keep the layers frozen, which takes seconds",
        "evidence": "these rows cannot tell the model from a probe on frozen layers: "
        f"{_points(found.metric, apart)} apart",
        "command": f"tunewright run {found.recipe} --set train.strategy=head",
    }


def _losses(found: Evidence) -> list[float]:
    """On validation, evaluation by evaluation."""
    name = next((name for name in LOSSES if found.history and name in found.history[0]), None)
    return [] if name is None else [float(each[name]) for each in found.history]


def _points(metric: str, gain: Interval) -> str:
    """Such as "2.1 points of accuracy [0.8, 3.4]"; the sign is turned where lower is better."""
    unit = " points of" if in_percent(metric) else " of"
    lower = "" if HIGHER_IS_BETTER[metric] else " (lower is better)"
    shown = bounds(metric, gain["low"], gain["high"])
    return f"{number(metric, gain['value'])}{unit} {word(metric)} {shown}{lower}"
