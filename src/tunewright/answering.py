"""What a language model writes before and after training, on the same rows, scored and to be read."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tunewright.backends import open_writer
from tunewright.data.chat.conversation import shown
from tunewright.data.rows import Rows
from tunewright.errors import RecipeError
from tunewright.evaluation.generated import Generated
from tunewright.evaluation.intervals import bootstrap_rows, paired_rows
from tunewright.evaluation.own_metric import load_own
from tunewright.evaluation.samples import samples
from tunewright.evaluation.written import HIGHER_IS_BETTER, Asked, Written
from tunewright.few_shot import NAME as FEW_SHOT
from tunewright.few_shot import Shots, shots
from tunewright.recipe.metric_names import is_written
from tunewright.recipe.schema import Recipe
from tunewright.writing import answers_of, asked_of

READ_BY = ("number_match", "tool_calls", "json_equal", "rougeL")  # what samples are picked by
SLOW = ("chrf",)


@dataclass(frozen=True)
class Answered:
    """What models wrote for the same rows: the one before training, shown examples, and trained.

    Args:
        prompts: what was asked, for people. shown: how many examples at most.
        shown_some: None where none fit.
    """

    prompts: list[str]
    before: Generated
    after: Generated
    shown: int = 0
    shown_some: Generated | None = None

    def fitting(self) -> list[str]:
        """The metrics that say something of these answers."""
        fits = self.before.fitting()
        return [name for name in self.after.fitting() if name not in SLOW and name in fits]


def answers_before_and_after(
    folder: Path, base: Path, rows: Rows, recipe: Recipe, *, train: Rows
) -> dict[str, Any] | None:
    """Scores of the answers to some rows, by the model as it was and as it is; and some to read.

    Args:
        folder: of the trained model. base: of the model before training.
        train: rows that it is shown some of, where that fits: `few_shot`.
    Returns:
        As `told`, None where no row has an answer, or none is asked for.
    Raises:
        RecipeError: a metric of the user's own cannot be loaded; DataError: it fails on a row.
    """
    if not answered_rows(rows, recipe):
        return None
    found = ask(open_writer(base), open_writer(folder), rows, recipe, shots(train, base, recipe))
    return told(found, recipe)


def ask(base: Any, tuned: Any, rows: Rows, recipe: Recipe, examples: Shots | str) -> Answered:
    """Let both models answer some rows, and the first one after examples too.

    Args:
        base, tuned: what writes, see `backends.open_writer`. examples: or why there are none.
    """
    given, asked = answered_rows(rows, recipe), asked_for(recipe)
    before, after = (
        Generated(_written(writer, rows, given, recipe), asked) for writer in (base, tuned)
    )
    prompts = [shown(json.dumps({"messages": asked_of(content)[0]})) for _, content in given]
    if isinstance(examples, str):
        return Answered(prompts, before, after)
    texts = examples.before([rows.texts[row] for row, _ in given])
    given = [(row, json.loads(text)) for (row, _), text in zip(given, texts, strict=True)]
    shown_some = Generated(_written(base, rows, given, recipe), asked)
    return Answered(prompts, before, after, len(examples.examples), shown_some)


def told(found: Answered, recipe: Recipe) -> dict[str, Any]:
    """The answers as the report shows them.

    Returns:
        {"rows", "shown", "metrics": {name: {"base", "few-shot", "tuned", "difference"}}, "samples"}.
        A difference is positive where the trained model is better than it was. `shown` counts
        examples.
    """
    drawn: dict[str, Any] = {"resamples": recipe.evaluate.resamples, "seed": recipe.seed}
    names, before, after = found.fitting(), found.before, found.after
    theirs, ours = (bootstrap_rows(names, each, **drawn) for each in (before, after))
    its = bootstrap_rows(names, found.shown_some, **drawn) if found.shown_some else {}
    by = next(name for name in READ_BY if name in names)
    return {
        "rows": len(after),
        "shown": found.shown,
        "metrics": {
            name: {
                "base": theirs[name],
                **({FEW_SHOT: its[name]} if its else {}),
                "tuned": ours[name],
                "difference": paired_rows(
                    name, (after, before), higher=HIGHER_IS_BETTER.get(name, True), **drawn
                ),
            }
            for name in names
        },
        "samples": samples(by, after, found.prompts, before, seed=recipe.seed),
        "sampled_by": by,
    }


def scores_in_training(backend: Any, rows: Rows, recipe: Recipe) -> Callable[[], dict[str, float]]:
    """What measures the model as it is now by the answers that it writes to some rows.

    Where the deciding metric is none of answers, it measures nothing.

    Args:
        recipe: resolved.
    Raises:
        RecipeError: the rows do not have what the metric is about.
    """
    metric = recipe.evaluate.metric
    if not is_written(metric, recipe.task):
        return dict
    given, asked = answered_rows(rows, recipe), asked_for(recipe)
    if metric not in fitting_metrics(rows, recipe):
        raise RecipeError(
            f"evaluate.metric is {metric}, of which the answers in the data have nothing to compare",
            fix="choose a score that fits the answers, such as rougeL, or the loss",
        )

    def measure() -> dict[str, float]:
        with backend.writing() as writer:
            written = Generated(_written(writer, rows, given, recipe), asked)
        return {metric: float(written.measure([metric])[0, 0])}

    return measure


def fitting_metrics(rows: Rows, recipe: Recipe) -> tuple[str, ...]:
    """The scores of answers that say something of some rows, were each answered as it should be."""
    right = [
        replace(_beside(rows, row, content), answer=_reference(content), ended=True)
        for row, content in answered_rows(rows, recipe)
    ]
    return Generated(right, asked_for(recipe)).fitting() if right else ()


def answered_rows(rows: Rows, recipe: Recipe) -> list[tuple[int, dict[str, Any]]]:
    """(number, content) of the rows that are answered: the same ones each time."""
    count: Any = recipe.evaluate.answers
    drawn = np.random.default_rng(recipe.seed).permutation(len(rows))[:count]
    given = [(int(row), json.loads(rows.texts[int(row)])) for row in sorted(drawn.tolist())]
    return [(row, content) for row, content in given if "text" not in content]


def asked_for(recipe: Recipe) -> Asked:
    """What some scores of answers need to be told.

    Raises:
        RecipeError: the pattern is none, or a function of the user's own cannot be loaded.
    """
    own = {name: load_own(name) for name in recipe.evaluate.own}
    return Asked(pattern=recipe.evaluate.pattern, own=own)


def _written(
    writer: Any, rows: Rows, given: Sequence[tuple[int, dict[str, Any]]], recipe: Recipe
) -> list[Written]:
    prompts = [asked_of(content) for _, content in given]
    most_tokens = recipe.evaluate.most_tokens
    answers = answers_of(writer, prompts, most_tokens=most_tokens, seed=recipe.seed)
    return [
        replace(_beside(rows, row, content), answer=found["answer"], ended=found["ended"])
        for found, (row, content) in zip(answers, given, strict=True)
    ]


def _beside(rows: Rows, row: int, content: dict[str, Any]) -> Written:
    """What an answer to a row is compared with, before there is one."""
    return Written(
        answer="",
        reference=_reference(content),
        reference_calls=_message(content).get("tool_calls"),
        row=content,
        place=rows.place(row),
    )


def _message(content: dict[str, Any]) -> dict[str, Any]:
    """The answer that the row has; the preferred one of two."""
    messages: list[dict[str, Any]] = content.get("preferred_output") or content["messages"]
    return messages[-1]


def _reference(content: dict[str, Any]) -> str:
    return str(_message(content).get("content") or "")
