"""Whether what a model forgets is looked at: where it costs little beside the training."""

from __future__ import annotations

from collections.abc import Sequence

from tunewright.backends.base import Backend
from tunewright.errors import RecipeError
from tunewright.evaluation import reference
from tunewright.recipe.defaults import Choice
from tunewright.recipe.schema import READS, TASKS, UNLABELLED, Recipe
from tunewright.train.phases import PhasePlan

KEY = "evaluate.forgetting"
SHARE = 0.1  # of the tokens of training, counted three times: forward, and twice as long back
CHEAP_WORK = 2e11  # weights x tokens: a few seconds on two cores


def choose_forgetting(recipe: Recipe, backend: Backend, phases: Sequence[PhasePlan]) -> Choice:
    """Where it costs little beside the training.

    Args:
        recipe: resolved, but for this.
    Raises:
        RecipeError: it is asked for of a model that reads no texts.
    """
    asked, of_pictures = recipe.evaluate.forgetting, READS[recipe.task] == "image"
    if of_pictures and asked == "on":
        raise RecipeError(
            f"{KEY} is on, and the general texts that it asks are none to a model of pictures",
            fix=f"take {KEY} out",
        )
    if asked != "auto":
        return KEY, asked, "asked for"
    if of_pictures:
        return KEY, "off", "the general texts that are asked are none to a model of pictures"
    if not any(phase.blocks and phase.epochs for phase in phases):
        return KEY, "off", "no block learns: a text is to the model what it was"
    tokens = _tokens_read(recipe)
    part = backend.parts["train"]
    epochs = sum(phase.epochs for phase in phases if phase.blocks)
    learned = 3 * epochs * int(part.inputs.lengths[: part.rows].sum())
    cheap = tokens <= SHARE * learned or tokens * backend.parameters <= CHEAP_WORK
    why = f"about {tokens:,} tokens of general texts, beside {learned:,} of training"
    return KEY, "on" if cheap else "off", why


def _tokens_read(recipe: Recipe) -> int:
    """By both models together."""
    if TASKS[recipe.task] not in UNLABELLED:
        return 2 * reference.tokens_of(reference.sentences()[0])
    asked = [question for question, _ in reference.questions()]
    tokens = reference.tokens_of([*reference.paragraphs(), *asked])
    return 2 * (tokens + reference.ANSWER_TOKENS * len(asked))
