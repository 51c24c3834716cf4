"""What `augment` becomes, and why; and what it cannot be."""

from __future__ import annotations

from collections.abc import Sequence

from tunewright.errors import RecipeError
from tunewright.recipe.augment import CHANGES, Augment, Change
from tunewright.recipe.defaults import Choice
from tunewright.recipe.schema import Reads, Recipe

USUAL: dict[Reads, tuple[Change, ...]] = {
    "text": ("delete", "swap", "synonym"),
    "image": ("crop", "flip", "colour"),
}
STRENGTH: dict[Reads, float] = {"text": 0.1, "image": 0.3}
VIEWS = 4


def choose_views(recipe: Recipe, reads: Reads) -> tuple[Choice, ...]:
    """The methods, how many views and how strong; `auto` as if it helped, for it is tried.

    Raises:
        RecipeError: such rows cannot have what is asked for.
    """
    augment = recipe.augment
    if augment.methods == "none" and not augment.mix_up:
        return no_views("not asked for")
    if reads not in CHANGES:
        raise RecipeError(
            "augment is asked for, but these rows are no texts or pictures with labels",
            fix="take augment out",
        )
    if augment.methods == "none":
        return no_views("not asked for")
    if isinstance(augment.methods, tuple):
        methods, why = augment.methods, "asked for"
    else:
        methods, why = USUAL[reads], f"usual for {reads}s"
    _refuse_foreign(methods, reads)
    return (
        ("augment.methods", methods, why),
        _asked_or("views", augment, VIEWS, "more of a few rows, at the cost of reading as many"),
        _asked_or("strength", augment, STRENGTH[reads], "a label should stay true"),
    )


def no_views(why: str) -> tuple[Choice, ...]:
    """Rows are shown as they are."""
    beside = "there are no methods"
    return (
        ("augment.methods", "none", why),
        ("augment.views", None, beside),
        ("augment.strength", None, beside),
    )


def refuse_idle_mixing(augment: Augment, reads: Reads, head_steps: Sequence[bool]) -> None:
    """Raise RecipeError when texts are to be mixed, and no phase learns the head alone by steps.

    Args:
        head_steps: of each phase, whether it does so.
    """
    if augment.mix_up and reads == "text" and not any(head_steps):
        raise RecipeError(
            f"augment.mix_up is {augment.mix_up:g}, but texts are mixed only where the head alone "
            "learns by steps, and no phase does that",
            fix="write train.strategy: head, or give train.phases one with blocks: 0",
        )


def _asked_or(name: str, augment: Augment, value: float, why: str) -> Choice:
    asked = getattr(augment, name)
    if asked != "auto":
        return f"augment.{name}", asked, "asked for"
    return f"augment.{name}", value, why


def _refuse_foreign(methods: Sequence[Change], reads: Reads) -> None:
    for method in methods:
        if method not in CHANGES[reads]:
            raise RecipeError(
                f"augment.methods has {method}, which is not for {reads}s",
                fix=f"use some of {', '.join(CHANGES[reads])}",
            )
