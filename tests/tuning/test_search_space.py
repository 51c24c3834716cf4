"""What a search may try: the recipe's space is checked, the usual one fits the task."""

from __future__ import annotations

from typing import Any

import pytest

from tunewright.errors import RecipeError, TunewrightError
from tunewright.recipe.load import build_recipe
from tunewright.recipe.tune import Choice, Range
from tunewright.tuning.drawing import draw, grid_of, known_to
from tunewright.tuning.space import applies, by_depth, depths, in_order, refuse_impossible, space_of

RESOLVED: dict[str, Any] = {
    "task": "text-classification",
    "adapt.method": "full",
    "adapt.layers": "all",
    "train.strategy": "staged",
    "train.learning_rate": 1e-4,
    "train.head_learning_rate": 1e-4,
    "train.batch_size": 16,
}


def resolved(**changes: Any) -> Any:
    given = RESOLVED | {key.replace("__", "."): value for key, value in changes.items()}
    return build_recipe({}, [f"{key}={value}" for key, value in given.items()])


def asked(*settings: str) -> Any:
    return build_recipe({}, settings)


def test_the_usual_space_holds_the_default_values() -> None:
    space = space_of(asked(), resolved(), rows=500, num_blocks=6)
    told = {key: value for key, value in RESOLVED.items() if key in space}
    assert known_to(space, told) == told
    assert by_depth(space, 6) == ("top-1", "top-2", "top-4", "all")


def test_what_the_user_fixes_is_not_searched() -> None:
    space = space_of(asked("train.learning_rate=3e-5"), resolved(), rows=500, num_blocks=6)
    assert "train.learning_rate" not in space
    assert "train.batch_size" in space


def test_a_space_in_which_all_is_fixed_is_refused() -> None:
    fixed = ["train.learning_rate=1e-5", "train.batch_size=8", "train.epochs=2"]
    fixed += ["train.weight_decay=0.02", "adapt.rank=4"]
    language = resolved(task="text-generation", adapt__method="lora", train__strategy="full")
    with pytest.raises(RecipeError, match="fixes all that the usual space would search"):
        space_of(asked(*fixed), language, rows=50, num_blocks=4)


def test_every_usual_value_makes_a_recipe() -> None:
    for changes in ({}, {"adapt__method": "lora"}, {"train__strategy": "probe"}):
        recipe = resolved(**changes)
        refuse_impossible(asked(), space_of(asked(), recipe, rows=500, num_blocks=6))


@pytest.mark.parametrize(
    ("space", "said"),
    [
        ({}, "the space is empty"),
        ({"train.batch_size": []}, "no value to choose from"),
        ({"train.batch_size": [8, 8]}, "twice"),
        ({"train.learning_rate": {"low": 1e-3, "high": 1e-5}}, "not below high"),
        ({"train.learning_rate": {"low": 0, "high": 1e-5, "log": True}}, "above 0"),
        ({"data.train": ["a.csv"]}, "cannot be searched"),
        ({"train.threads": [1, 2]}, "cannot be searched"),
        (
            {"train.warmup": {"values": [0.1, 0.2], "when": {"train.epochs": [1]}}},
            "not in the space",
        ),
    ],
)
def test_a_space_that_means_nothing_is_refused(space: Any, said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        build_recipe({"tune": {"space": space, "trials": 3}})


@pytest.mark.parametrize(
    ("space", "key"),
    [({"train.learning_rat": [1e-4]}, "learning_rat"), ({"train.warmup": [0.1, 2.0]}, "warmup")],
)
def test_a_key_that_is_unknown_or_out_of_bounds_is_named(space: Any, key: str) -> None:
    recipe = build_recipe({"tune": {"space": space, "trials": 3}})
    with pytest.raises(TunewrightError, match=rf"tune.space: train.{key} cannot be"):
        refuse_impossible(recipe, recipe.tune.space)


def test_a_parameter_is_drawn_only_where_it_applies() -> None:
    import optuna

    space = {
        "adapt.rank": Choice(values=(4, 8), when={"adapt.method": ("lora",)}),
        "adapt.method": Choice(values=("full", "lora")),
        "train.learning_rate": Range(low=1e-5, high=1e-3, log=True),
    }
    assert next(key for key, _ in in_order(space)) != "adapt.rank"
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=3))
    drawn = [draw(study.ask(), space) for _ in range(20)]
    for settings in drawn:
        assert ("adapt.rank" in settings) == (settings["adapt.method"] == "lora")
        assert 1e-5 <= settings["train.learning_rate"] <= 1e-3
    assert {settings["adapt.method"] for settings in drawn} == {"full", "lora"}


def test_parameters_that_depend_on_each_other_are_refused() -> None:
    space = {
        "train.warmup": Choice(values=(0.1,), when={"train.clip": (1.0,)}),
        "train.clip": Choice(values=(1.0,), when={"train.warmup": (0.1,)}),
    }
    with pytest.raises(RecipeError, match="depend on each other"):
        list(in_order(space))


def test_a_guess_outside_of_the_space_is_run_and_not_told_to_the_sampler() -> None:
    import optuna

    space = {"train.learning_rate": Range(low=1e-5, high=1e-3, log=True)}
    trial = optuna.create_study().ask()
    guess = {"train.learning_rate": 0.5, "train.clip": 2.0}
    assert draw(trial, space, guess) == guess
    assert trial.params == {}


def test_a_grid_holds_every_value_and_needs_steps() -> None:
    assert grid_of(
        {
            "train.epochs": Range(low=1, high=3),
            "train.warmup": Range(low=0.0, high=0.2, step=0.1),
            "train.schedule": Choice(values=("linear", "cosine")),
        }
    ) == {
        "train.epochs": [1, 2, 3],
        "train.warmup": [0.0, 0.1, 0.2],
        "train.schedule": ["linear", "cosine"],
    }
    with pytest.raises(RecipeError, match="no end of values"):
        grid_of({"train.warmup": Range(low=0.0, high=0.2)})


def test_depths_are_one_block_a_third_two_thirds_and_all() -> None:
    assert depths(12, 12) == ("top-1", "top-4", "top-8", "all")
    assert depths(4, 12) == ("top-1", "top-2", "top-4")
    assert applies(Choice(values=(1,), when={"a": (1,)}), {"a": 1})


def test_a_run_refuses_a_recipe_that_asks_for_a_search(tickets: Any) -> None:
    from tunewright.life import run

    with pytest.raises(RecipeError, match="asks for a search"):
        run(tickets, settings=["tune.trials=3"])
