"""Who trains, and who answers for it: this machine or a service. The one place that decides."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunewright.backends.served import INSTALL
from tunewright.data.prepare import Prepared
from tunewright.data.rows import Rows
from tunewright.errors import RecipeError
from tunewright.evaluation.baselines import FittedBaseline
from tunewright.evaluation.judge import Judgement
from tunewright.recipe.schema import Recipe

BaselinesOf = Callable[[Path, Prepared, Recipe], list[FittedBaseline]]
JudgePart = Callable[
    [Path, Rows, Prepared, Sequence[FittedBaseline], Recipe, Any, int],
    tuple[Judgement, dict[str, Any]],
]


@dataclass(frozen=True)
class Way:
    """How a run is lived and judged.

    Args:
        live: through the stages, see `life.live`.
        baselines_of: what a model has to beat. judge_part: it and them on some rows.
        base_of: the folder of the untouched model, by run folder and recipe.
    """

    live: Callable[..., bool]
    baselines_of: BaselinesOf
    judge_part: JudgePart
    base_of: Callable[[Path, Recipe], Path]


def way_of(recipe: Recipe) -> Way:
    """The way of a recipe; what goes it is imported now.

    Raises:
        RecipeError: a package that it needs is not installed.
    """
    if recipe.backend != "openai":
        from tunewright import baselining, judging, life

        return Way(
            life.live,
            baselining.baselines_of,
            judging.judge_part,
            lambda folder, recipe: baselining.base_folder(recipe),
        )
    if importlib.util.find_spec("openai") is None:
        raise RecipeError("backend openai needs the package openai", fix=INSTALL)
    from tunewright.hosting import judging as hosted
    from tunewright.hosting import life as hosted_life

    return Way(
        hosted_life.live,
        hosted.baselines_of,
        hosted.judge_part,
        lambda folder, recipe: folder / hosted.BASE,
    )
