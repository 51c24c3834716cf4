"""What `auto` becomes, why, and that it comes back from the file."""

from typing import Any

import numpy as np
import pytest

from tunewright.data.chat.forms import COLUMNS
from tunewright.errors import RecipeError
from tunewright.recipe import defaults
from tunewright.recipe.evaluate import Evaluate
from tunewright.recipe.load import build_recipe, load_recipe
from tunewright.recipe.schema import Recipe, Train
from tunewright.recipe.views import choose_views
from tunewright.recipe.write import as_yaml


def facts(rows: int = 500, longest: int = 40, **changes: object) -> defaults.Facts:
    lengths = np.linspace(3, longest, rows).astype(np.int64)
    given = {"kind": "one", "lengths": lengths, "counts": (rows // 2, rows // 2)}
    return defaults.Facts(**{**given, "longest_input": 512, "width": 384, **changes})


def resolved(recipe: Recipe) -> Recipe:
    known = facts()
    recipe, methods = defaults.with_method(recipe, "one")
    return defaults.with_choices(
        recipe,
        (
            *methods,
            ("task", "text-classification", "two labels"),
            ("data.columns.text", "text", "its name: it's #1"),
            ("data.columns.text_pair", None, "there is none"),
            ("data.columns.image", None, "the rows are texts"),
            ("data.columns.label", "no: [yes]", "odd names are quoted"),
            *((f"data.columns.{name}", None, "the rows have labels") for name in COLUMNS),
            ("data.split.by", "stratified", "nothing else was said"),
            defaults.choose_max_length(recipe.train, known),
            defaults.choose_batch_size(recipe.train, known),
            *defaults.choose_adapters(recipe.adapt, recipe.train, known),
            *defaults.choose_rates(recipe.train, known, adapters=recipe.adapt.has_adapters),
            defaults.choose_evaluations(recipe.train, known),
            defaults.choose_cache(recipe.train),
            *choose_views(recipe, "text"),
            ("train.precision", "fp32", "measured"),
            ("train.threads", 2, "two cores"),
            ("train.contrastive", "off", "many rows"),
            ("adapt.pooling", "model", "many rows"),
            defaults.choose_metric(recipe.evaluate, known),
            defaults.choose_answers(recipe.evaluate, "one"),
        ),
    )


@pytest.mark.parametrize(
    ("longest", "limit", "expected"),
    [(40, 512, 128), (128, 512, 128), (5000, 512, 512), (100, 64, 64)],
)
def test_the_limit_covers_the_rows_and_what_the_model_reads(
    longest: int, limit: int, expected: int
) -> None:
    known = facts(longest=longest, longest_input=limit)
    assert defaults.choose_max_length(Train(), known)[1] == expected


def test_one_very_long_row_does_not_make_every_batch_long() -> None:
    lengths = np.full(1000, 50)
    lengths[0] = 5000
    key, value, why = defaults.choose_max_length(Train(), facts(lengths=lengths))
    assert (key, value) == ("train.max_length", 128)
    assert why == "the longest row has 5000 tokens; 1 of 1000 rows are cut"


def test_a_length_that_the_model_cannot_read_is_lowered_and_says_so() -> None:
    _, value, why = defaults.choose_max_length(Train(max_length=900), facts())
    assert (value, why) == (512, "the most that the model can read; 0 of 500 rows are cut")


@pytest.mark.parametrize(("rows", "size"), [(50, 8), (160, 16), (4000, 32), (100_000, 32)])
def test_few_rows_make_small_batches(rows: int, size: int) -> None:
    assert defaults.choose_batch_size(Train(), facts(rows))[1] == size


def test_an_automatic_batch_can_be_divided_by_accumulate() -> None:
    for parts in range(1, 12):
        assert defaults.choose_batch_size(Train(accumulate=parts), facts())[1] % parts == 0


def test_wider_models_learn_slower_and_the_head_as_fast() -> None:
    rates = {key: value for key, value, _ in defaults.choose_rates(Train(), facts(width=768))}
    assert rates["train.learning_rate"] == 7.5e-5
    assert rates["train.head_learning_rate"] == 7.5e-5


def test_the_head_follows_a_rate_that_was_asked_for() -> None:
    choices = defaults.choose_rates(Train(learning_rate=2e-5), facts())
    chosen = {key: (value, why) for key, value, why in choices}
    assert chosen["train.learning_rate"] == (2e-5, "asked for")
    assert chosen["train.head_learning_rate"][0] == 2e-5


@pytest.mark.parametrize(
    ("counts", "metric"), [((50, 50), "accuracy"), ((75, 25), "accuracy"), ((76, 25), "macro_f1")]
)
def test_a_common_label_moves_the_metric_to_macro_f1(counts: tuple[int, ...], metric: str) -> None:
    assert defaults.choose_metric(Evaluate(), facts(counts=counts))[1] == metric


def test_what_was_asked_for_is_never_changed() -> None:
    asked = {
        "max_length": 16,
        "batch_size": 7,
        "epochs": 9,
        "learning_rate": 0.5,
        "head_learning_rate": 0.25,
        "layer_decay": 0.125,
        "early_stopping": 0,
        "evaluations_per_epoch": 5,
    }
    after = resolved(build_recipe({"train": asked})).train.model_dump()
    assert {key: after[key] for key in asked} == asked


RECIPES = {
    "defaults": {},
    "full": {"train": {"strategy": "full"}},
    "head": {"train": {"strategy": "head"}, "adapt": {"method": "head"}},
    "head without a strategy": {"adapt": {"method": "head"}},
    "phases": {
        "train": {
            "phases": [
                {"blocks": 0, "name": "a: b"},
                {"blocks": "all", "learning_rate": 1e-5, "epochs": 2},
            ]
        }
    },
    "adapters": {"adapt": {"method": "lora", "layers": "top-3"}},
    "odd words": {
        "name": "on",
        "model": "./my model #2",
        "data": {"train": "C: d, 'e'.csv", "group": "null", "time": "1e3"},
    },
}


@pytest.mark.parametrize("content", RECIPES.values(), ids=RECIPES)
def test_a_recipe_comes_back_from_its_file(
    content: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("written") / "recipe.yaml"
    recipe = build_recipe(content)
    path.write_text(as_yaml(recipe, {}), "utf-8")
    assert load_recipe(path) == recipe


@pytest.mark.parametrize("content", RECIPES.values(), ids=RECIPES)
def test_a_resolved_recipe_comes_back_and_has_nothing_left_to_choose(
    content: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("written") / "recipe.yaml"
    recipe = resolved(build_recipe(content))
    path.write_text(as_yaml(recipe, {"data.columns.text": "its name: it's #1"}), "utf-8")
    assert load_recipe(path) == recipe
    assert resolved(load_recipe(path)) == recipe
    left = recipe.model_dump(exclude={"tune", "service"})  # of a search, and of another backend
    assert left["adapt"].pop("dropout") == "auto"  # the model's own share; not a number
    assert left["train"].pop("checkpointing") == "auto"  # the model says what it would take
    assert left["evaluate"].pop("forgetting") == "auto"  # the phases say what it would take
    left["train"].pop("phases")
    assert "auto" not in str(left)


def test_each_reason_stands_beside_its_value() -> None:
    lines = as_yaml(Recipe(), {"seed": "asked for", "train.epochs": "few rows"}).splitlines()
    assert "seed: 0  # asked for" in lines
    assert "  epochs: auto  # few rows" in lines


# ---- adapters


def adapters(**keys: object) -> dict[str, tuple[object, str]]:
    recipe = build_recipe({"adapt": {"method": "lora"}, **keys})
    chosen = defaults.choose_adapters(recipe.adapt, recipe.train, facts())
    return {key.removeprefix("adapt."): (value, why) for key, value, why in chosen}


def test_adapters_get_a_rank_and_twice_that_as_alpha() -> None:
    chosen = {key: value for key, (value, _) in adapters().items()}
    assert chosen == {"layers": "all", "rank": 16, "alpha": 32, "adapter_dropout": 0.0}
    asked = adapters(adapt={"method": "dora", "rank": 4, "layers": "top-3"})
    assert asked["rank"] == (4, "asked for")
    assert asked["alpha"] == (8, "2 times the rank")
    assert asked["layers"] == ("top-3", "asked for")


def test_rslora_is_at_the_usual_rank_as_strong_as_lora() -> None:
    chosen = adapters(adapt={"method": "rslora"})
    assert chosen["alpha"][0] / chosen["rank"][0] ** 0.5 == 32 / 16
    assert adapters(adapt={"method": "rslora", "rank": 64})["alpha"] == chosen["alpha"]


def test_adapters_go_as_deep_as_the_phases() -> None:
    phases = [{"blocks": 1}, {"blocks": 3}]
    assert adapters(train={"phases": phases})["layers"] == ("top-3", "as deep as train.phases go")
    assert adapters(train={"phases": [*phases, {}]})["layers"][0] == "all"


def test_adapters_learn_faster_than_whole_layers() -> None:
    rates = [
        {key: value for key, value, _ in defaults.choose_rates(Train(), facts(), adapters=adapted)}
        for adapted in (False, True)
    ]
    head = rates[0]["train.head_learning_rate"]
    assert rates[1]["train.head_learning_rate"] == pytest.approx(head)
    assert rates[1]["train.learning_rate"] == pytest.approx(10 * rates[0]["train.learning_rate"])


REFUSED = {
    "rank is 8, but method full has no adapters": {"adapt": {"method": "full", "rank": 8}},
    "alpha is 8, but method head has no adapters": {"adapt": {"method": "head", "alpha": 8}},
    "adapter_dropout is 0.1, but method full": {
        "adapt": {"method": "full", "adapter_dropout": 0.1}
    },
    "rank is null, but method lora needs it": {"adapt": {"method": "lora", "rank": None}},
    "layers is top-2, but method head trains": {"adapt": {"method": "head", "layers": "top-2"}},
    "layers is null, but method full": {"adapt": {"method": "full", "layers": None}},
    "adapt.layers: should be all, or top-4": {"adapt": {"layers": "top-0"}},
    "adapt.layers: should be all, or": {"adapt": {"layers": 4}},
    "adapt.rank: ": {"adapt": {"method": "lora", "rank": 0}},
    "adapt.method is lora, but train asks for the head alone": {
        "adapt": {"method": "lora"},
        "train": {"strategy": "head"},
    },
    "adapt.method is dora, which backend keras does not have": {
        "adapt": {"method": "dora"},
        "backend": "keras",
    },
    "adapt.method is rslora, which backend keras does not have": {
        "adapt": {"method": "rslora"},
        "backend": "keras",
    },
    "train.checkpointing is on, which backend keras does not have": {
        "train": {"checkpointing": "on"},
        "backend": "keras",
    },
    "adapt.new_tokens is given, which backend keras does not have": {
        "adapt": {"new_tokens": ["<a>"]},
        "backend": "keras",
    },
    "adapt.quantization is 4bit, which backend keras does not have": {
        "adapt": {"quantization": "4bit"},
        "backend": "keras",
    },
    "adapt.pooling is mean, which backend keras does not have": {
        "adapt": {"pooling": "mean"},
        "backend": "keras",
    },
    "train.contrastive is on, which backend keras does not have": {
        "train": {"contrastive": "on"},
        "backend": "keras",
    },
    "augment is given, which backend keras does not have": {"augment": "auto", "backend": "keras"},
    "augment is given, which": {"augment": {"mix_up": 0.2}, "backend": "keras"},
    "adapt.method is dora, but train asks for the head alone": {
        "adapt": {"method": "dora"},
        "train": {"phases": [{"blocks": 0}]},
    },
}


@pytest.mark.parametrize("told", REFUSED)
def test_wishes_that_contradict_each_other_are_refused(told: str) -> None:
    with pytest.raises(RecipeError) as caught:
        build_recipe(REFUSED[told])
    assert told in caught.value.what
    assert caught.value.fix


def test_a_rank_above_the_width_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"adapt\.rank is 999, the model is 384 wide"):
        adapters(adapt={"method": "lora", "rank": 999})
