"""From a file, settings or keys to a recipe; each mistake with its place and its fix."""

from pathlib import Path

import pytest

from tunewright.errors import RecipeError
from tunewright.history.request import read_request
from tunewright.recipe.load import build_recipe, load_recipe
from tunewright.recipe.schema import Recipe

ROOT = Path(__file__).resolve().parents[2]


def written(folder: Path, text: str, name: str = "recipe.yaml") -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def refused(folder: Path, text: str) -> RecipeError:
    with pytest.raises(RecipeError) as caught:
        load_recipe(written(folder, text))
    return caught.value


def test_two_lines_are_a_recipe(tmp_path: Path) -> None:
    recipe = load_recipe(written(tmp_path, "model: minilm\ndata: tickets.csv\n"))
    assert recipe == Recipe.model_validate({"data": {"train": "tickets.csv"}})


def test_an_empty_file_is_all_defaults(tmp_path: Path) -> None:
    assert load_recipe(written(tmp_path, "# nothing yet\n")) == Recipe()


def test_json_is_read_too(tmp_path: Path) -> None:
    path = written(tmp_path, '{"seed": 4, "train": {"epochs": 2}}', "recipe.json")
    assert load_recipe(path).train.epochs == 2


@pytest.mark.parametrize("number", ["5e-5", "5E-5", "0.00005", "5.0e-05"])
def test_a_rate_is_a_number_however_it_is_written(number: str, tmp_path: Path) -> None:
    recipe = load_recipe(written(tmp_path, f"train:\n  learning_rate: {number}\n"))
    assert recipe.train.learning_rate == 5e-5
    assert build_recipe({}, [f"train.learning_rate={number}"]) == recipe


def test_settings_lie_over_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, "seed: 1\ndata: tickets.csv\ntrain: {epochs: 4, clip: 2}\n")
    recipe = load_recipe(path, ["train.epochs=2", "data.group=customer", "data.columns.text=body"])
    assert (recipe.seed, recipe.train.epochs, recipe.train.clip) == (1, 2, 2.0)
    assert recipe.data.train == "tickets.csv"
    assert (recipe.data.group, recipe.data.columns.text) == ("customer", "body")


def test_the_last_setting_wins() -> None:
    assert build_recipe({}, ["seed=1", "seed=2"]).seed == 2


@pytest.mark.parametrize("setting", ["train.epochs", "=3"])
def test_a_setting_without_key_or_value_is_refused(setting: str) -> None:
    with pytest.raises(RecipeError, match="has no value"):
        build_recipe({}, [setting])


@pytest.mark.parametrize(
    ("text", "line", "key", "fix"),
    [
        ("modle: minilm\n", 1, "modle", "did you mean 'model'?"),
        ("seed: 1\n\ntrain:\n  epoch: 3\n", 4, "train.epoch", "did you mean 'train.epochs'?"),
        (
            "data:\n  columns:\n    txt: a\n",
            3,
            "data.columns.txt",
            "did you mean 'data.columns.text'?",
        ),
        (
            "train:\n  phases:\n    - blocks: 0\n    - block: 1\n",
            4,
            "train.phases.1.block",
            "did you mean 'train.phases.1.blocks'?",
        ),
        (
            "evaluate: {zzz: 1}\n",
            1,
            "evaluate.zzz",
            "known here: answers, calibrate, forgetting, metric, most_tokens, own, pattern, resamples, "
            "slices, thresholds",
        ),
    ],
)
def test_an_unknown_key_is_named_with_its_line(
    text: str, line: int, key: str, fix: str, tmp_path: Path
) -> None:
    error = refused(tmp_path, text)
    where = tmp_path / "recipe.yaml"
    assert error.what == f"line {line} of {where}: there is no key '{key}'"
    assert error.fix == fix


@pytest.mark.parametrize(
    ("text", "line", "key"),
    [
        ("seed: -1\n", 1, "seed"),
        ("train:\n  epochs: 0\n", 2, "train.epochs"),
        ("train:\n  epochs: many\n", 2, "train.epochs"),
        ("train:\n  warmup: 1\n", 2, "train.warmup"),
        ("train:\n  layer_decay: 1.5\n", 2, "train.layer_decay"),
        ("train:\n  precision: fp16\n", 2, "train.precision"),
        ("data:\n  split:\n    test: 1\n", 3, "data.split.test"),
        ("evaluate:\n  resamples: 10\n", 2, "evaluate.resamples"),
        ("data:\n  split: {validation: 0.5, test: 0.5}\n", 2, "data.split"),
    ],
)
def test_a_value_out_of_range_is_named_with_its_line(
    text: str, line: int, key: str, tmp_path: Path
) -> None:
    error = refused(tmp_path, text)
    assert error.what.startswith(f"line {line} of {tmp_path / 'recipe.yaml'}: {key}: ")
    assert error.fix.startswith((f"change {key}; what it takes", "did you mean "))


def test_a_choice_and_a_contradiction_are_mended_by_their_fix(tmp_path: Path) -> None:
    assert refused(tmp_path, "backend: kears\n").fix == "did you mean keras?"
    error = refused(tmp_path, "backend: keras\nadapt:\n  quantization: 4bit\n  method: lora\n")
    assert error.what.endswith("adapt.quantization is 4bit, which backend keras does not have")
    assert error.fix == "write backend: torch, or leave adapt.quantization out"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("train:\n  strategy: full\n  phases: [{blocks: 0}]\n", "strategy and phases"),
        ("train:\n  phases: []\n", "nothing would be trained"),
        ("train:\n  batch_size: 10\n  accumulate: 4\n", "not a multiple"),
        ("adapt: {method: head}\ntrain: {strategy: full}\n", "adapt.method is head"),
        ("adapt: {method: head}\ntrain: {phases: [{blocks: 2}]}\n", "adapt.method is head"),
    ],
)
def test_wishes_that_exclude_each_other_are_refused(text: str, said: str, tmp_path: Path) -> None:
    assert said in refused(tmp_path, text).what


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("seed: 1\nseed: 2\n", "line 2 of {path} gives 'seed' a second time"),
        ("train:\n  clip: 1\n  clip: 2\n", "line 3 of {path} gives 'clip' a second time"),
        ("seed: [1\n", "of {path} is not YAML"),
        ("- seed\n", "{path} holds a list, not a recipe"),
        ("just words\n", "{path} holds a str, not a recipe"),
    ],
)
def test_a_file_that_is_no_recipe_says_why(text: str, said: str, tmp_path: Path) -> None:
    error = refused(tmp_path, text)
    assert said.format(path=tmp_path / "recipe.yaml") in error.what
    assert error.fix


def test_a_missing_recipe_and_one_in_another_encoding_are_named(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"there is no recipe .*absent\.yaml"):
        load_recipe(tmp_path / "absent.yaml")
    path = tmp_path / "latin.yaml"
    path.write_bytes("name: caf\xe9\n".encode("latin-1"))
    with pytest.raises(RecipeError, match="cannot be read as a recipe"):
        load_recipe(path)


def test_no_tag_in_a_recipe_can_make_an_object(tmp_path: Path) -> None:
    text = "name: !!python/object/apply:os.system ['true']\n"
    assert "is not YAML" in refused(tmp_path, text).what


def test_a_recipe_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Recipe().seed = 3


def test_paths_that_exist_are_made_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tickets.csv").write_text("text,label\na,b\n")
    recipe = read_request("tickets.csv", {"data": {"validation": "absent.csv"}}, [])
    assert recipe.data.train == str(tmp_path.resolve() / "tickets.csv")
    assert recipe.data.validation == "absent.csv"


def test_keys_and_settings_lie_over_a_recipe_file(tmp_path: Path) -> None:
    path = written(tmp_path, "seed: 1\ntrain: {epochs: 4}\n")
    recipe = read_request(path, {"seed": 2, "train": {"clip": 3}}, ["train.epochs=5"])
    assert (recipe.seed, recipe.train.clip, recipe.train.epochs) == (2, 3.0, 5)


def test_every_shipped_recipe_loads() -> None:
    found = sorted((ROOT / "examples").glob("*.yaml"))
    assert len(found) == 3
    for path in found:
        assert load_recipe(path).data.train == "tickets.csv"


def test_a_flag_has_no_comments() -> None:
    recipe = build_recipe({}, ["evaluate.pattern=#### -?[0-9]", "name=a #b", "train.epochs=3"])
    assert (recipe.evaluate.pattern, recipe.name) == ("#### -?[0-9]", "a #b")
    assert recipe.train.epochs == 3
