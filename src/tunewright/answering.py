"""What a language model writes before and after training, on the same rows, scored and to be read."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
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
from tunewright.few_shot import shots
from tunewright.recipe.metric_names import is_written
from tunewright.recipe.schema import Recipe
from tunewright.writing import answers_of, asked_of

READ_BY = ("number_match", "tool_calls", "json_equal", "rougeL")  # what samples are picked by
SLOW = ("chrf",)


def answers_before_and_after(
    folder: Path, base: Path, rows: Rows, recipe: Recipe, *, train: Rows
) -> dict[str, Any] | None:
    """Scores of the answers to some rows, by the model as it was and as it is; and some to read.

    Args:
        folder: of the trained model. base: of the model before training.
        train: rows that it is shown some of, where that fits: `few_shot`.
    Returns:
        {"rows", "shown", "metrics": {name: {"base", "few-shot", "tuned", "difference"}}, "samples"},
        None where no row has an answer, or none is asked for. A difference is positive where the
        trained model is better than it was. `shown` counts examples.
    Raises:
        RecipeError: a metric of the user's own cannot be loaded; DataError: it fails on a row.
    """
    evaluate: Any = recipe.evaluate
    given = _drawn(rows, recipe)
    if not given:
        return None
    asked = asked_for(recipe)
    before, after = (
        Generated(_written(open_writer(model), rows, given, recipe), asked)
        for model in (base, folder)
    )
    shown_some = _shown_some(base, rows, given, recipe, train)
    names = [name for name in after.fitting() if name not in SLOW and name in before.fitting()]
    drawn_alike: dict[str, Any] = {"resamples": evaluate.resamples, "seed": recipe.seed}
    theirs, ours = (bootstrap_rows(names, each, **drawn_alike) for each in (before, after))
    by = next(name for name in READ_BY if name in names)
    prompts = [shown(json.dumps({"messages": asked_of(content)[0]})) for _, content in given]
    examples, its = 0, dict[str, Any]()
    if shown_some is not None:
        examples, its = shown_some[0], bootstrap_rows(names, shown_some[1], **drawn_alike)
    return {
        "rows": len(given),
        "shown": examples,
        "metrics": {
            name: {
                "base": theirs[name],
                **({FEW_SHOT: its[name]} if its else {}),
                "tuned": ours[name],
                "difference": paired_rows(
                    name,
                    (after, before),
                    higher=HIGHER_IS_BETTER.get(name, True),
                    **drawn_alike,
                ),
            }
            for name in names
        },
        "samples": samples(by, after, prompts, before, seed=recipe.seed),
        "sampled_by": by,
    }


def _shown_some(
    base: Path, rows: Rows, given: Sequence[tuple[int, dict[str, Any]]], recipe: Recipe, train: Rows
) -> tuple[int, Generated] | None:
    """How many examples the untouched model is shown at most, and what it answers then."""
    found = shots(train, base, recipe)
    if isinstance(found, str):
        return None
    texts = found.before([rows.texts[row] for row, _ in given])
    asked = [(row, json.loads(text)) for (row, _), text in zip(given, texts, strict=True)]
    answers = _written(open_writer(base), rows, asked, recipe)
    return len(found.examples), Generated(answers, asked_for(recipe))


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
    given, asked = _drawn(rows, recipe), asked_for(recipe)
    right = [
        replace(_beside(rows, row, content), answer=_reference(content), ended=True)
        for row, content in given
    ]
    if not right or metric not in Generated(right, asked).fitting():
        raise RecipeError(
            f"evaluate.metric is {metric}, of which the answers in the data have nothing to compare",
            fix="choose a score that fits the answers, such as rougeL, or the loss",
        )

    def measure() -> dict[str, float]:
        with backend.writing() as writer:
            written = Generated(_written(writer, rows, given, recipe), asked)
        return {metric: float(written.measure([metric])[0, 0])}

    return measure


def _drawn(rows: Rows, recipe: Recipe) -> list[tuple[int, dict[str, Any]]]:
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
