"""Models are ranked on the user's rows before anything is tuned; seeds are judged together."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from picture_models import write_picture_model
from quick_run import QUICK
from tiny_models import text_rows, write_csv, write_model
from tiny_pictures import class_folders
from tunewright import choosing, features
from tunewright.adapting import adapt
from tunewright.backends.torch.classifier import TorchClassifier
from tunewright.cache import cache_folder
from tunewright.data.prepare import prepare
from tunewright.durable import make_folder
from tunewright.errors import TunewrightError
from tunewright.history.request import read_request
from tunewright.pretrained.catalog import resolve_model

pytestmark = pytest.mark.usefixtures("one_thread")
Cli = Callable[..., Any]


@pytest.fixture(scope="module")
def tickets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_csv(tmp_path_factory.mktemp("choosing") / "tickets.csv", text_rows(200))


@pytest.fixture(scope="module")
def other_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("other"), "distilbert")


def test_candidates_are_ranked_with_intervals_and_what_they_cost(
    tickets: Path, tiny_bert: Path, other_model: Path, cli: Cli, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    names = f"{other_model},{tiny_bert},{tmp_path / 'empty'}"
    said = cli("choose", tickets, "--models", names, "--json")
    assert said.code == 0, said.err
    found = json.loads(said.out)
    assert found["rows"] == 170, "those that would be sealed are left alone"
    assert {each["model"] for each in found["candidates"]} == {str(tiny_bert), str(other_model)}
    best, second = found["candidates"]
    assert found["best"] == best["model"]
    assert best["difference"] == {"value": 0, "low": 0, "high": 0}
    apart = second["difference"]
    assert apart["low"] <= apart["value"] <= apart["high"]
    assert second["log_me"] <= best["log_me"]
    assert all(each["tuning_mib"] > each["weights_mib"] > 0 for each in found["candidates"])
    assert all(each["rows_per_s"] > 0 and each["parameters"] > 0 for each in found["candidates"])
    assert "config.json" in found["left_out"][str(tmp_path / "empty")]
    said = cli("choose", tickets, "--models", names)
    assert said.code == 0, said.err
    assert "is the best of 2 on 170 rows" in said.out


def test_of_many_rows_some_are_drawn(
    tickets: Path, tiny_bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choosing, "MOST_ROWS", 80)
    found = choosing.choose(tickets, models=[str(tiny_bert)])
    assert 75 <= found["rows"] <= 80


def test_without_a_candidate_the_reasons_are_said(tickets: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(TunewrightError, match="no candidate for text-classification can be ranked"):
        choosing.choose(tickets, models=[str(tmp_path / "empty")])


def test_model_auto_takes_the_best_and_says_why(
    tickets: Path, tiny_bert: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choosing, "candidates_for", lambda *_: (str(tiny_bert),))
    said = cli("run", tickets, "--model", "auto", "--until", "adapt", "--json")
    assert said.code == 0, said.err
    from quick_run import only_run

    recipe = (only_run() / "recipe.yaml").read_text()
    line = next(line for line in recipe.splitlines() if line.startswith("model:"))
    assert str(tiny_bert) in line
    assert "of a probe on the rows" in recipe
    resumed = cli("run", "--resume", "last", "--set", *QUICK)
    assert resumed.code == 2, "a resumed run keeps its recipe"


def test_without_names_the_candidates_are_those_that_need_no_hub() -> None:
    of_texts = choosing.candidates_for("text-classification", "torch")
    assert of_texts == ("minilm", "wordllama", "distilbert")
    assert choosing.candidates_for("text-classification", "keras") == ("minilm", "distilbert")
    assert choosing.candidates_for("image-classification", "torch") == ("efficientnet-lite0",)
    assert choosing.candidates_for("image-classification", "keras") == ("vgg16-edges",)


def test_models_of_pictures_are_ranked(cli: Cli, tmp_path: Path) -> None:
    pictures = class_folders(tmp_path / "pictures", {"red": 20, "blue": 20})
    names = [str(write_picture_model(tmp_path / name, name)) for name in ("vit", "swin")]
    said = cli("choose", pictures, "--models", ",".join([*names, "vgg16-edges"]), "--json")
    assert said.code == 0, said.err
    found = json.loads(said.out)
    assert found["task"] == "image-classification"
    assert {each["model"] for each in found["candidates"]} == set(names)
    assert all(0 <= each["probe"]["value"] <= 1 for each in found["candidates"])
    assert list(found["left_out"]) == ["vgg16-edges"], "a model of Keras, or not on this machine"


def test_a_run_takes_the_features_that_choose_left_and_computes_none(
    tickets: Path, tiny_bert: Path, other_model: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = ["train.threads=1", "train.precision=fp32"]
    choosing.choose(tickets, models=[str(tiny_bert)], settings=settings)
    words = ("run", tickets, "--set", *QUICK, "--json", "--model")
    plain = cli(*words, other_model)
    monkeypatch.setattr(
        TorchClassifier, "_features", lambda *_: pytest.fail("features were computed")
    )
    monkeypatch.setattr(TorchClassifier, "probe_answers", lambda *_: pytest.fail("probed"))
    shared = cli(*words, tiny_bert)
    assert plain.code == 0, plain.err
    assert shared.code == 0, shared.err


def test_shared_features_are_those_that_a_run_computes(
    tickets: Path, tiny_bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = read_request(tickets, {"model": str(tiny_bert)}, ["train.threads=1"])
    recipe = recipe.model_copy(
        update={"train": recipe.train.model_copy(update={"precision": "fp32"})}
    )
    source = resolve_model(str(tiny_bert))
    with tempfile.TemporaryDirectory() as folder:
        prepared = prepare(recipe.data, 0, make_folder(Path(folder) / "data").parent)
    own = features.of_parts(adapt(recipe, source, prepared))
    assert features.shared(adapt(recipe, source, prepared)) is None, "a run leaves none"
    choosing.ranked(recipe, [str(tiny_bert)])
    left = features.shared(adapt(recipe, source, prepared))
    assert own is not None
    assert left is not None
    for part in features.PARTS:
        assert np.array_equal(own[part], left[part])
    other = recipe.model_copy(update={"seed": 1})
    with tempfile.TemporaryDirectory() as folder:
        prepared = prepare(other.data, 1, make_folder(Path(folder) / "data").parent)
    assert features.shared(adapt(other, source, prepared)) is None, "of other rows"
    monkeypatch.setattr(features, "SHARED_BYTES", 1)
    choosing.ranked(other, [str(tiny_bert)])
    assert len(list((cache_folder() / "features").iterdir())) == 1, "the older ones made room"


def test_seeds_share_one_split_and_are_judged_together(
    tickets: Path, tiny_bert: Path, cli: Cli
) -> None:
    said = cli(
        "run", tickets, "--model", tiny_bert, "--seeds", 2, "--json", "--set", *QUICK, "seed=3"
    )
    assert said.code == 0, said.err
    found = json.loads(said.out)
    assert [each["seed"] for each in found["runs"]] == [3, 4]
    assert found["rows"] == 30, "all validation rows are shared"
    assert found["mean"]["low"] <= found["mean"]["value"] <= found["mean"]["high"]
    assert "over 2 seeds and 30 validation rows" in found["sentence"]


@pytest.mark.parametrize("words", [("--seeds", 1), ("--seeds", 2, "--test")])
def test_seeds_that_make_no_sense_are_refused(
    tickets: Path, cli: Cli, words: tuple[object, ...]
) -> None:
    said = cli("run", tickets, *words)
    assert said.code == 2
    assert "--seeds" in said.err
