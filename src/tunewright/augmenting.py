"""Whether views of the training rows help: a linear probe with them beside one without."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tunewright.backends.settings import Part
from tunewright.errors import DataError
from tunewright.evaluation.intervals import Interval, paired_difference
from tunewright.recipe.defaults import Choice, with_choices
from tunewright.recipe.schema import Recipe
from tunewright.recipe.views import no_views

Open = Callable[[Recipe], Any]


def open_with_views(
    asked: Recipe, resolved: Recipe, choices: tuple[Choice, ...], open_backend: Open
) -> tuple[Any, Recipe, tuple[Choice, ...]]:
    """The backend; and the recipe with its choices, in which `auto` may have become none.

    Args:
        resolved: with the views that are to be tried.
    Raises:
        DataError: no row can be changed in the ways that are asked for.
    """
    backend = open_backend(resolved)
    part: Part = backend.parts["train"]
    if asked.augment.methods != "auto":
        refuse_unchanged(part, resolved)
        return backend, resolved, _told(choices, part, "")
    helps, why = find_gain(backend, str(resolved.evaluate.metric), resolved.seed)
    if helps:
        return backend, resolved, _told(choices, part, f": {why}")
    kept = tuple(choice for choice in choices if not choice[0].startswith("augment."))
    choices = (*kept, *no_views(why))
    del backend, part  # there may be room for one
    resolved = with_choices(resolved, choices)
    return open_backend(resolved), resolved, choices


def _told(choices: tuple[Choice, ...], part: Part, why: str) -> tuple[Choice, ...]:
    """The choices, where there are views with what they gain and how many rows they change."""
    if part.views == 1:
        return choices
    more = {
        "augment.methods": why,
        "augment.views": f"; {part.changed} of {part.rows} training rows differ in one of them",
    }
    return tuple((key, value, reason + more.get(key, "")) for key, value, reason in choices)


def find_gain(backend: Any, metric: str, seed: int) -> tuple[bool, str]:
    """Whether a probe that learned from every view is better on validation, and by how much."""
    part: Part = backend.parts["train"]
    if not part.changed:
        return False, "no training row can be changed"
    found: Interval = paired_difference(
        metric,
        backend.probe_answers(part.views),
        backend.probe_answers(1),
        backend.parts["validation"].targets,
        seed=seed,
    )
    said = (
        f"a probe with {part.views} views is better by {found['value']:+.4f} of {metric} "
        f"[{found['low']:+.4f}, {found['high']:+.4f}] on validation"
    )
    return found["low"] > 0, said


def refuse_unchanged(part: Part, recipe: Recipe) -> None:
    """Raise DataError where there are views, and all of them are the rows themselves."""
    if part.views > 1 and not part.changed:
        raise DataError(
            f"augment.methods is {', '.join(recipe.augment.methods)}, but none of the {part.rows} "
            "training rows can be changed so",
            fix="take augment out, or use other methods",
        )
