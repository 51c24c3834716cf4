"""What a recipe asks of a service: what it cannot grant is refused, and every `auto` decided."""

from __future__ import annotations

from typing import Any

from tunewright.adapting import data_choices
from tunewright.answering import READ_BY, fitting_metrics
from tunewright.backends.openai.presets import known
from tunewright.data.prepare import Prepared
from tunewright.errors import RecipeError
from tunewright.recipe.defaults import Choice, with_choices
from tunewright.recipe.metric_names import METRICS, WRITTEN
from tunewright.recipe.schema import UNLABELLED, Recipe
from tunewright.train.checkpoint import flat

TASKS = ("text-classification", "text-generation", "preference")
FREE = ("task", "backend", "name", "seed", "model", "data.", "service.", "test.", "tune.")
READ = (
    *("train.epochs", "train.batch_size", "train.beta"),
    *("evaluate.metric", "evaluate.resamples", "evaluate.answers", "evaluate.most_tokens"),
    *("evaluate.pattern", "evaluate.own", "evaluate.slices"),
)
WITHOUT_MEANING = {"evaluate.forgetting": "off", "data.too_long": "cut"}
"""Values other than the default that ask for nothing which a service does not do."""
NO_SHARES = ("log_loss", "calibration_error")
"""Scores of shares, which a service does not tell."""
ANSWERS = 100  # they give the verdict, so there are more of them than of a model on this machine
TARGET_EPOCHS, FEW_EXAMPLES, MANY_EXAMPLES, MOST_EPOCHS = 3, 100, 25_000, 25
LEFT = "left to the service, which knows what its model bears"


def refuse_ungranted(recipe: Recipe) -> None:
    """Raise RecipeError for every key that a service does not read, and for a model that is none."""
    if recipe.model == "auto":
        raise RecipeError(
            "model is auto, but a service trains, whose models are not known here",
            fix="name a model of the service, such as gpt-4o-mini-2024-07-18",
        )
    own = settings_of(recipe)
    for key, value in changed(recipe).items():
        granted = key.startswith(FREE) or key in READ or WITHOUT_MEANING.get(key) == value
        if not granted and key not in own:
            raise RecipeError(
                f"{key} is {value}, which a service does not let anyone choose",
                fix=f"take {key} out, or write backend: torch",
            )
    if recipe.data.chat_template is not None:
        raise RecipeError(
            "data.chat_template is given, but a service has its own",
            fix="take data.chat_template out, or write backend: torch",
        )
    if recipe.data.learn == "all":
        raise RecipeError(
            "data.learn is all, but a service learns answers alone",
            fix="write data.learn: assistant, or backend: torch",
        )


def changed(recipe: Recipe) -> dict[str, Any]:
    """Key → value of all that is not as it is where nobody says anything."""
    plain = flat(Recipe().model_dump(mode="json"))
    asked = flat(recipe.model_dump(mode="json"))
    return {
        key: value
        for key, value in asked.items()
        if value is not None and value != plain.get(key)  # null asks for nothing
    }


def settings_of(recipe: Recipe) -> dict[str, Any]:
    """What a service of this program takes beside, which has keys that no other has."""
    takes = known(recipe.service).settings
    return {
        key: value
        for key, value in changed(recipe).items()
        if takes and key.startswith(takes) and key not in READ and key != "train.phases"
    }


def resolved(recipe: Recipe, prepared: Prepared) -> tuple[Recipe, tuple[Choice, ...]]:
    """The recipe with what a run needs to know before anything is sent, and why.

    Raises:
        RecipeError: the task or the metric is none of a service's.
    """
    task = prepared.columns.task
    if task not in TASKS:
        raise RecipeError(
            f"the rows are of {task}, which a service does not train",
            fix=f"it trains {', '.join(TASKS)}; or write backend: torch",
        )
    recipe = recipe.model_copy(update={"task": task})
    _refuse_unfit(recipe)
    choices = (
        *data_choices(prepared),
        _epochs(recipe, len(prepared.train)),
        _left(recipe.train.batch_size, "train.batch_size"),
        _left(recipe.service.learning_rate_multiplier, "service.learning_rate_multiplier"),
        _answers(recipe, prepared),
    )
    recipe = with_choices(recipe, choices)
    choices = (*choices, _metric(recipe, prepared))
    return with_choices(recipe, choices[-1:]), choices


def _refuse_unfit(recipe: Recipe) -> None:
    """Raise RecipeError for what only another task has."""
    labelled, pairs = recipe.task == "text-classification", recipe.task == "preference"
    given = {
        "train.beta": not pairs and recipe.train.beta != 0.1,
        "service.instruction": not labelled and recipe.service.instruction is not None,
        "evaluate.slices": not labelled and bool(recipe.evaluate.slices),
    }
    for key, unfit in given.items():
        if unfit:
            raise RecipeError(
                f"{key} is given, but rows of {recipe.task} have no use for it",
                fix=f"take {key} out",
            )


def _epochs(recipe: Recipe, rows: int) -> Choice:
    """What the service would take by itself, said before it is paid."""
    key = "train.epochs"
    if recipe.train.epochs != "auto":
        return key, recipe.train.epochs, "asked for"
    value = TARGET_EPOCHS
    if rows * value < FEW_EXAMPLES:
        value = min(MOST_EPOCHS, -(-FEW_EXAMPLES // rows))
    elif rows * value > MANY_EXAMPLES:
        value = max(1, MANY_EXAMPLES // rows)
    return key, value, f"{rows} training rows; a number, so that the price is known"


def _left(value: Any, key: str) -> Choice:
    return key, value, LEFT if value == "auto" else "asked for"


def _answers(recipe: Recipe, prepared: Prepared) -> Choice:
    key, asked = "evaluate.answers", recipe.evaluate.answers
    if prepared.kind not in UNLABELLED:
        if asked not in ("auto", 0):
            raise RecipeError(
                f"{key} is {asked}, but this task has labels: every validation row is asked",
                fix=f"take {key} out",
            )
        return key, 0, "every validation row is asked for its label"
    if asked == 0:
        raise RecipeError(
            f"{key} is 0, but written answers are all that a service's model can be judged by",
            fix=f"take {key} out",
        )
    if asked != "auto":
        return key, asked, "asked for"
    value = min(ANSWERS, len(prepared.validation))
    return key, value, "they give the verdict; each is written by the base and the trained model"


def _metric(recipe: Recipe, prepared: Prepared) -> Choice:
    """Accuracy or macro-F1 of labels; of answers the strictest score that fits them.

    Raises:
        RecipeError: the one asked for cannot be known.
    """
    key, asked = "evaluate.metric", recipe.evaluate.metric
    if prepared.kind not in UNLABELLED:
        can = tuple(name for name in METRICS["one"] if name not in NO_SHARES)
        if asked != "auto" and asked not in can:
            raise RecipeError(
                f"{key} is {asked}, and a service tells labels alone",
                fix=f"use one of {', '.join(can)}",
            )
        counts = [count for count in prepared.counts["train"] if count]
        uneven = max(counts) / min(counts)
        auto = "macro_f1" if uneven > 3 else "accuracy"
        why = f"the largest label has {uneven:.1f} times the rows of the smallest"
        return (key, auto, why) if asked == "auto" else (key, asked, "asked for")
    if asked != "auto" and asked not in WRITTEN:
        raise RecipeError(
            f"{key} is {asked}, which a service does not tell of given answers",
            fix=f"use a score of written answers: {', '.join(WRITTEN)}",
        )
    fits = fitting_metrics(prepared.validation, recipe)
    if asked == "auto":
        best = next((name for name in READ_BY if name in fits), None)
        if best is None:
            raise RecipeError(
                "no validation row has an answer to compare with", fix="give conversations"
            )
        return key, best, "the strictest score that fits the answers in the data"
    if asked not in fits:
        raise RecipeError(
            f"{key} is {asked}, of which the answers in the data have nothing to compare",
            fix=f"use one of {', '.join(name for name in fits if name in WRITTEN)}",
        )
    return key, asked, "asked for"
