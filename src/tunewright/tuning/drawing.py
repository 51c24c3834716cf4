"""What draws the settings of a trial: Optuna's samplers and pruners, in the recipe's words."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from tunewright.errors import RecipeError
from tunewright.recipe.tune import Choice, Tune
from tunewright.tuning.space import Parameter, Settings, Space, applies, in_order

PLAIN = (str, int, float, bool, type(None))
STARTUP_SHARE, FEWEST_STARTUP, MOST_STARTUP = 0.25, 4, 10  # drawn at random before a model is made
REDUCTION = 3  # one in so many goes on
FIRST_RUNG = 3  # tenths of an epoch of all blocks


def sampler_of(tune: Tune, space: Space, seed: int) -> Any:
    """Optuna's sampler.

    Raises:
        RecipeError: a grid is asked for over numbers without steps.
    """
    from optuna import samplers

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Optuna calls some of its options experimental
        if tune.sampler == "random":
            return samplers.RandomSampler(seed=seed)
        if tune.sampler == "grid":
            return samplers.GridSampler(grid_of(space), seed=seed)
        if tune.sampler == "cma-es":
            return samplers.CmaEsSampler(seed=seed, warn_independent_sampling=False)
        startup = round(STARTUP_SHARE * (tune.trials or 4 * MOST_STARTUP))
        return samplers.TPESampler(
            seed=seed,
            n_startup_trials=min(MOST_STARTUP, max(FEWEST_STARTUP, startup)),
            multivariate=True,
            group=True,
            constant_liar=True,
            warn_independent_sampling=False,
        )


def pruner_of(tune: Tune) -> Any:
    """Optuna's pruner; its steps are tenths of an epoch of all blocks."""
    from optuna import pruners

    if tune.pruner == "none":
        return pruners.NopPruner()
    if tune.pruner == "median":
        return pruners.MedianPruner(n_startup_trials=FEWEST_STARTUP, n_warmup_steps=FIRST_RUNG)
    if tune.pruner == "hyperband":
        return pruners.HyperbandPruner(min_resource=FIRST_RUNG, reduction_factor=REDUCTION)
    return pruners.SuccessiveHalvingPruner(
        min_resource=FIRST_RUNG, reduction_factor=REDUCTION, bootstrap_count=0
    )


def grid_of(space: Space) -> dict[str, list[Any]]:
    """Every value of every parameter.

    Raises:
        RecipeError: numbers without steps have no end of values, or a parameter is conditional.
    """
    found: dict[str, list[Any]] = {}
    for key, each in space.items():
        if each.when:
            raise RecipeError(
                f"tune.sampler is grid, and {key} is there only sometimes",
                fix="take its `when` out",
            )
        if isinstance(each, Choice):
            found[key] = [_written(value) for value in each.values]
        elif each.step is None and not each.whole:
            raise RecipeError(
                f"tune.sampler is grid, and {key} has no end of values",
                fix=f"give {key} a step, or a list of values",
            )
        else:
            step = each.step or 1
            count = int((each.high - each.low) / step + 1e-9) + 1
            found[key] = [
                each.low + step * k if each.whole else float(np.round(each.low + step * k, 12))
                for k in range(count)
            ]
    return found


def draw(trial: Any, space: Space, given: Settings | None = None) -> dict[str, Any]:
    """The settings of a trial of Optuna's, by key.

    Args:
        given: those of a trial that is not drawn; what the space has of them is told to Optuna.
    """
    chosen: dict[str, Any] = dict(given or {})
    told = None if given is None else known_to(space, given)
    for key, parameter in in_order(space):
        if told is not None and key not in told:
            continue
        if not applies(parameter, chosen):
            continue
        found = _suggested(trial, key, parameter)
        chosen.setdefault(key, found)
    return chosen


def _suggested(trial: Any, key: str, parameter: Parameter) -> Any:
    if isinstance(parameter, Choice):
        written = trial.suggest_categorical(key, [_written(each) for each in parameter.values])
        return next(each for each in parameter.values if _written(each) == written)
    draw = trial.suggest_int if parameter.whole else trial.suggest_float
    more: dict[str, Any] = {"log": parameter.log}
    if parameter.step is not None:
        more["step"] = parameter.step
    value = draw(key, parameter.low, parameter.high, **more)
    return value if parameter.whole else float(f"{value:.4g}")


def known_to(space: Space, settings: Settings) -> dict[str, Any]:
    """Those of the settings that the space could have drawn, as Optuna keeps them."""
    found: dict[str, Any] = {}
    for key, value in settings.items():
        parameter = space.get(key)
        if parameter is None or not applies(parameter, settings):
            continue
        if isinstance(parameter, Choice):
            if value in parameter.values:
                found[key] = _written(value)
        elif isinstance(value, int | float) and parameter.low <= value <= parameter.high:
            found[key] = value
    return found


def _written(value: Any) -> Any:
    """Optuna keeps plain values; others are written down."""
    return value if isinstance(value, PLAIN) else json.dumps(value)


def same_settings(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two trials would be one and the same run."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
