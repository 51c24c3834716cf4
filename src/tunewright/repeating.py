"""One recipe with several seeds: what a single run's luck is worth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tunewright.baselining import baselines_of
from tunewright.comparing import opened_run, shared_rows
from tunewright.data.labels import targets
from tunewright.deciding import baseline_answers
from tunewright.errors import RecipeError
from tunewright.evaluation.intervals import bootstrap
from tunewright.evaluation.over_seeds import mean_over_seeds
from tunewright.evaluation.verdict import best_baseline, sentence
from tunewright.finished import FinishedRun
from tunewright.history.request import read_request
from tunewright.judging import answers_of_run
from tunewright.life import run
from tunewright.recipe.metric_names import judged_by
from tunewright.recipe.schema import TASKS

FEWEST = 2
SCHEMA_VERSION = 1


def repeat(
    source: str | Path,
    *,
    seeds: int,
    settings: Sequence[str] = (),
    on_run: Callable[[int], tuple[Any, ...]] = lambda seed: (),
    **keys: Any,
) -> dict[str, Any]:
    """Run a recipe with so many seeds on one and the same split, and judge all of them together.

    The seal of none is opened: each run would be a look at the same rows.

    Args:
        source: as for `run`. seeds: 2 or more; the recipe's own, and those after it.
        on_run: seed → listeners of the run with that seed.
    Returns:
        See `over_seeds`.
    Raises:
        RecipeError: fewer than two seeds. TunewrightError: as `run`; runs that are done stay.
    """
    if seeds < FEWEST:
        raise RecipeError(f"--seeds is {seeds}, expected {FEWEST} or more", fix="leave it out")
    recipe = read_request(source, keys, settings)
    if recipe.backend == "openai":
        raise RecipeError(
            "--seeds is given, and with backend openai a service would be paid for each of them",
            fix="leave --seeds out, or write backend: torch",
        )
    first = recipe.seed
    dealt = first if recipe.data.split.seed is None else recipe.data.split.seed
    finished: list[FinishedRun] = []
    for seed in range(first, first + seeds):
        own = [*settings, f"seed={seed}", f"data.split.seed={dealt}"]
        finished.append(run(source, settings=own, listeners=on_run(seed), **keys))
    return over_seeds([each.folder for each in finished])


def over_seeds(runs: Sequence[str | Path]) -> dict[str, Any]:
    """What runs that differ in nothing but their seed have in the mean, on validation.

    Returns:
        {"schema_version", "rows", "metric", "runs": each with its seed and its score over rows,
        "mean": over seeds and rows, "baseline", "difference": from the best baseline, over both,
        "sentence"}.
    """
    opened = [opened_run(each) for each in runs]
    first = opened[0]
    rows = shared_rows(opened)
    labels = targets(rows, first.prepared.labels, TASKS[first.recipe.task])
    metric: Any = judged_by(first.recipe.evaluate.metric, first.recipe.task)
    answers = [answers_of_run(o.folder, o.recipe, rows) for o in opened]
    baselines = baselines_of(first.folder, first.prepared, first.recipe)
    theirs = baseline_answers(baselines, rows, first.prepared, first.recipe)
    best = best_baseline(metric, theirs, labels)
    drawn: dict[str, Any] = {
        "resamples": first.recipe.evaluate.resamples,
        "seed": first.recipe.seed,
    }
    mean = mean_over_seeds(metric, answers, labels, **drawn)
    apart = mean_over_seeds(metric, answers, labels, against=theirs[str(best)], **drawn)
    return {
        "schema_version": SCHEMA_VERSION,
        "rows": len(rows),
        "metric": metric,
        "runs": [
            {
                "run": o.name,
                "seed": o.recipe.seed,
                "score": bootstrap([metric], said, labels, **drawn)[metric],
            }
            for o, said in zip(opened, answers, strict=True)
        ],
        "mean": mean,
        "baseline": best,
        "difference": apart,
        "sentence": sentence(
            metric, mean, apart, best, rows=len(rows), part="validation", seeds=len(opened)
        ),
    }
