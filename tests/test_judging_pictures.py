"""A run of pictures is judged on other pictures, and never on those that it knows or seals."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from result_example import a_result
from tiny_pictures import class_folders, csv_of_paths, write_picture
from tunewright.data.prepare import prepare
from tunewright.data.read import read_table
from tunewright.errors import ChangedError, DataError, SealError
from tunewright.history.folder import create_run
from tunewright.history.result import write_result
from tunewright.history.state import write_state
from tunewright.judging import evaluate
from tunewright.recipe.load import build_recipe
from tunewright.recipe.write import as_yaml


class Stub:
    """Says that every picture is red, not very surely."""

    def __init__(self, folder: Path, **more: Any) -> None:
        assert folder.name == "model"

    def answers(self, texts: Sequence[str], pairs: Sequence[str] | None) -> np.ndarray:
        assert pairs is None
        assert all(Path(path).is_file() for path in texts)
        return np.tile([0.4, 0.6], (len(texts), 1))


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    return class_folders(tmp_path / "pets")


@pytest.fixture
def run(pets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run that is done, as far as judging it asks."""

    monkeypatch.setattr("tunewright.judging.open_predictor", Stub)
    task = {"task": "image-classification", "evaluate": {"metric": "accuracy", "resamples": 100}}
    columns = {"text": None, "text_pair": None, "image": "image", "label": "label"}
    content = {"data": {"train": str(pets), "columns": columns}, **task}
    recipe = build_recipe(content, [])
    folder = create_run("pets", as_yaml(recipe, {}))
    (folder / "recipe.yaml").write_text(as_yaml(recipe, {}))
    prepared = prepare(recipe.data, recipe.seed, folder, task=recipe.task)
    (folder / "model").mkdir()
    (folder / "model" / "config.json").write_text("{}")
    write_result(folder, a_result() | {"task": recipe.task})
    write_state(folder, state="done", data_hash=prepared.data_hash)
    return folder


def test_validation_has_scores_baselines_and_mistakes(run: Path) -> None:
    found = evaluate(run)
    assert set(found["baselines"]) == {"majority", "colours"}, "features were not kept"
    assert found["labels"] == ["blue", "red"]
    assert {row["label"] for row in found["mistakes"]} == {"blue"}
    assert all(Path(row["image"]).parent.name == "blue" for row in found["mistakes"])


def test_other_pictures_may_come_as_class_folders_or_as_paths(run: Path, tmp_path: Path) -> None:
    folder = evaluate(
        run, data=class_folders(tmp_path / "others", {"red": 6, "blue": 2}, first=500)
    )
    assert (folder["rows"], folder["scores"]["accuracy"]["value"]) == (8, 0.75)
    path = csv_of_paths(tmp_path / "paths", 4)
    for number in range(4):
        write_picture(path.parent / "in" / f"{number}.png", "green", number)
    assert evaluate(run, data=path)["rows"] == 4


def test_a_picture_that_is_sealed_or_was_learned_is_refused_under_any_name(
    run: Path, pets: Path, tmp_path: Path
) -> None:
    with (run / "data" / "splits.csv").open(newline="") as file:
        part_of = {int(row["picture"]): row["part"] for row in csv.DictReader(file)}
    paths = read_table(pets).arrow["image"].to_pylist()
    for part, error in (("test", SealError), ("train", DataError)):
        path = Path(next(p for number, p in enumerate(paths, 1) if part_of[number] == part))
        folder = class_folders(tmp_path / part, {"red": 2, "blue": 2}, first=700)
        (folder / path.parent.name / "other-name.png").write_bytes(path.read_bytes())
        with pytest.raises(error, match="1 of the 5 rows"):
            evaluate(run, data=folder)


def test_a_damaged_picture_is_named(run: Path, tmp_path: Path) -> None:
    folder = class_folders(tmp_path / "others", {"red": 2, "blue": 2}, first=500)
    (folder / "red" / "1.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"red/1\.png cannot be read: the file is empty"):
        evaluate(run, data=folder)


def test_a_picture_changed_since_the_training_is_noticed(run: Path, pets: Path) -> None:
    for number, file in enumerate(sorted(pets.rglob("*.png"))):
        write_picture(file, "green", number)
    with pytest.raises((ChangedError, DataError), match="changed"):
        evaluate(run)
