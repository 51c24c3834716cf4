"""What a search may try: by task and strategy, or as the recipe says."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tunewright.errors import RecipeError, TunewrightError
from tunewright.recipe.load import build_recipe
from tunewright.recipe.schema import TASKS, UNLABELLED, Recipe
from tunewright.recipe.tune import Choice, Range
from tunewright.train.phases import deepest

Parameter = Choice | Range
Space = Mapping[str, Parameter]
Settings = Mapping[str, Any]
DEPTH = "adapt.layers"
TRAINS_BLOCKS = {"train.strategy": ("full", "staged")}
FEW_EPOCHS, EPOCHS = (3, 5, 8), (1, 2, 3)
FEW_ROWS = 2000


def space_of(asked: Recipe, resolved: Recipe, rows: int, num_blocks: int) -> Space:
    """The space of a recipe: its own, or the usual one of its task and strategy.

    Args:
        asked: as the user wrote it; what it fixes is not searched.
        resolved: with every value chosen.
        rows: to train on. num_blocks: of the model.
    Raises:
        RecipeError: nothing is left to search, or a value is none that the key can have.
    """
    if asked.tune.space != "auto":
        return asked.tune.space
    if TASKS[resolved.task] in UNLABELLED:
        usual = _of_language(resolved)
    else:
        usual = _of_heads(resolved, rows, num_blocks)
    left = {key: each for key, each in usual.items() if not _is_fixed(asked, key)}
    if not left:
        raise RecipeError(
            "the recipe fixes all that the usual space would search", fix="give tune.space, or less"
        )
    return {
        key: each.model_copy(update={"when": {k: v for k, v in each.when.items() if k in left}})
        for key, each in left.items()
    }


def _of_heads(resolved: Recipe, rows: int, num_blocks: int) -> dict[str, Parameter]:
    """Of tasks with a new head, which is solved before anything learns."""
    train: Any = resolved.train
    most = deepest(resolved.adapt.layers or "all", num_blocks)
    when: Any = {} if train.strategy in ("full", "staged") else TRAINS_BLOCKS
    rate, size = train.learning_rate, train.batch_size
    space: dict[str, Parameter] = {
        "train.strategy": Choice(values=("full", "staged")),
        DEPTH: Choice(values=depths(most, num_blocks)),
        "train.learning_rate": _around(rate, 4, 8, when=when),
        "train.head_learning_rate": _around(rate, 4, 16, when=when),
        "train.layer_decay": Range(low=0.6, high=1.0, when=when),
        "train.epochs": Choice(values=FEW_EPOCHS if rows < FEW_ROWS else EPOCHS),
        "train.batch_size": Choice(values=(max(4, size // 2), size, 2 * size)),
        "train.weight_decay": Range(low=1e-3, high=0.1, log=True),
    }
    if train.strategy == "head" or resolved.adapt.method == "head":
        for key in ("train.strategy", DEPTH, "train.learning_rate", "train.layer_decay"):
            del space[key]
    if TASKS[resolved.task] == "one":
        space["train.label_smoothing"] = Range(low=0.0, high=0.2)
    if train.strategy == "probe":  # rows are few
        space["train.contrastive"] = Choice(values=("off", "on"))
    if resolved.adapt.has_adapters:
        space["adapt.rank"] = _ranks(resolved)
        del space["train.layer_decay"]
    return space


def _of_language(resolved: Recipe) -> dict[str, Parameter]:
    train: Any = resolved.train
    size = train.batch_size
    space: dict[str, Parameter] = {
        "train.learning_rate": _around(train.learning_rate, 5, 5),
        "train.batch_size": Choice(values=(max(1, size // 2), size, 2 * size)),
        "train.epochs": Choice(values=(1, 2, 3)),
        "train.weight_decay": Range(low=1e-3, high=0.1, log=True),
    }
    if resolved.adapt.has_adapters:
        space["adapt.rank"] = _ranks(resolved)
    if resolved.task == "preference":
        space["train.beta"] = Range(low=0.03, high=0.5, log=True)
    return space


def depths(most: int, num_blocks: int) -> tuple[str, ...]:
    """One block, a third of those that may learn, two thirds, all.

    >>> depths(6, 6), depths(2, 12), depths(1, 1)
    (('top-1', 'top-2', 'top-4', 'all'), ('top-1', 'top-2'), ('all',))
    """
    tops = sorted({1, max(1, most // 3), max(1, most * 2 // 3), most})
    return tuple("all" if top == num_blocks else f"top-{top}" for top in tops)


def by_depth(space: Space, num_blocks: int) -> tuple[str, ...]:
    """The depths of a space, the shallowest first; none where it has no choice of them."""
    choice = space.get(DEPTH)
    if not isinstance(choice, Choice) or len(choice.values) < 2:
        return ()
    return tuple(sorted(choice.values, key=lambda layers: deepest(layers, num_blocks)))


def _around(value: float, below: float, above: float, when: Any = None) -> Range:
    low, high = (float(f"{each:.2g}") for each in (value / below, value * above))
    return Range(low=low, high=high, log=True, when=when or {})


def _ranks(resolved: Recipe) -> Choice:
    most = resolved.adapt.rank if isinstance(resolved.adapt.rank, int) else 16
    return Choice(values=tuple(sorted({max(1, most // 4), max(1, most // 2), most})))


def _is_fixed(asked: Recipe, key: str) -> bool:
    """Whether the user gave this key a value of his own."""
    section, name = key.split(".")
    given, plain = getattr(asked, section), getattr(Recipe(), section)
    if section == "train" and asked.train.phases is not None and name in _OF_PHASES:
        return True
    return bool(getattr(given, name) != getattr(plain, name))


_OF_PHASES = ("strategy", "epochs", "layer_decay")


def refuse_impossible(asked: Recipe, space: Space) -> None:
    """Raise RecipeError where a key is unknown, or an end of a range is out of its bounds."""
    for key, parameter in space.items():
        for value in _ends(parameter):
            with_others = {key: value, **_parents(space, parameter)}
            try:
                build_recipe(asked.model_dump(exclude={"tune"}), settings_of(with_others))
            except TunewrightError as error:
                raise RecipeError(
                    f"tune.space: {key} cannot be {value}: {error.what}", fix=error.fix
                ) from None


def _parents(space: Space, parameter: Parameter) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, values in parameter.when.items():
        found |= {key: values[0], **_parents(space, space[key])}
    return found


def _ends(parameter: Parameter) -> Sequence[Any]:
    if isinstance(parameter, Choice):
        return parameter.values
    return parameter.low, parameter.high


def settings_of(settings: Settings) -> list[str]:
    """As `--set` takes them.

    >>> settings_of({"train.epochs": 3})
    ['train.epochs=3']
    """
    return [f"{key}={json.dumps(value)}" for key, value in settings.items()]


def in_order(space: Space) -> Iterator[tuple[str, Parameter]]:
    """Every parameter after those that it depends on.

    Raises:
        RecipeError: some depend on each other.
    """
    done: set[str] = set()
    while len(done) < len(space):
        ready = [key for key, each in space.items() if key not in done and set(each.when) <= done]
        if not ready:
            left = ", ".join(key for key in space if key not in done)
            raise RecipeError(f"tune.space: {left} depend on each other", fix="take a `when` out")
        for key in ready:
            yield key, space[key]
        done.update(ready)


def applies(parameter: Parameter, settings: Settings) -> bool:
    """Whether a parameter is there beside these settings."""
    return all(settings.get(key) in values for key, values in parameter.when.items())
