"""Which pictures a model is asked about, and what is said of each; the model is a stub."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tiny_pictures import (
    class_folders,
    csv_of_paths,
    parquet_of_pictures,
    picture_bytes,
    write_picture,
)
from tunewright import inference
from tunewright.errors import DataError, RecipeError, RunError
from tunewright.export.card import model_card
from tunewright.inference import predict

Cli = Callable[..., Any]


class Stub:
    """Says red of a picture whose first value is high."""

    labels = ("blue", "red")
    answer = SimpleNamespace(kind="one")

    def __init__(self) -> None:
        self.asked: list[str] = []

    def answers(self, texts: Sequence[str], pairs: Sequence[str] | None) -> np.ndarray:
        from PIL import Image

        assert pairs is None
        self.asked += texts
        red = [float(np.asarray(Image.open(path))[0, 0, 0] > 128) for path in texts]
        return np.array([[1 - share, share] for share in red])


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Stub:
    made = Stub()
    monkeypatch.setattr(inference, "_predictor", lambda folder: (made, None))
    return made


@pytest.fixture
def model(tmp_path: Path, stub: Stub) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    for name in ("config.json", "preprocessor_config.json"):
        (folder / name).write_text("{}")
    return folder


def test_one_picture_gets_one_answer(model: Path, tmp_path: Path) -> None:
    path = write_picture(tmp_path / "x.png", "red", 1)
    assert list(predict(model, path)) == [{"image": str(path), "label": "red", "confidence": 1.0}]


def test_a_folder_is_answered_in_order_with_classes_or_without(model: Path, tmp_path: Path) -> None:
    folder = class_folders(tmp_path / "pets", {"red": 2, "blue": 2})
    assert [found["label"] for found in predict(model, folder)] == ["blue", "blue", "red", "red"]
    found = [answer["image"] for answer in predict(model, folder / "red")]
    assert found == [str(folder / "red" / "0.png"), str(folder / "red" / "1.png")]


def test_a_file_of_paths_is_answered_row_by_row(model: Path, tmp_path: Path) -> None:
    path = csv_of_paths(tmp_path, 5)
    found = list(predict(model, path))
    assert [answer["label"] for answer in found] == ["red", "blue", "red", "blue", "red"]
    path.write_text("photo\nin/1.png\nin/0.png\n")
    assert [answer["label"] for answer in predict(model, path)] == ["blue", "red"]


def test_pictures_within_a_table_are_answered(model: Path, tmp_path: Path) -> None:
    data: list[bytes | None] = [picture_bytes("red", 1), picture_bytes("blue", 2)]
    path = parquet_of_pictures(tmp_path / "x.parquet", data, ["?", "?"])
    assert [answer["label"] for answer in predict(model, path)] == ["red", "blue"]


def test_paths_come_through_a_pipe(
    model: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [write_picture(tmp_path / f"{name}.png", name, 1) for name in ("red", "blue")]
    lines = f"{paths[0]}\n{json.dumps({'image': str(paths[1])})}\n"
    monkeypatch.setattr("sys.stdin", io.StringIO(lines))
    said = cli("predict", model, "-")
    assert [json.loads(line)["label"] for line in said.out.splitlines()] == ["red", "blue"]


def test_many_pictures_are_asked_about_a_few_at_a_time(
    model: Path, tmp_path: Path, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inference, "CHUNK_PICTURES", 4)
    answers = predict(model, class_folders(tmp_path / "pets"))
    next(answers)
    assert len(stub.asked) == 4


def test_a_text_is_refused(model: Path, cli: Cli) -> None:
    with pytest.raises(RecipeError, match="reads pictures"):
        list(predict(model, text="a red picture"))
    said = cli("predict", model, "--text", "a red picture")
    assert "a folder of pictures" in said.error()
    assert said.code == 2
    with pytest.raises(RunError, match="nothing to predict"):
        list(predict(model))


def test_a_picture_that_is_missing_or_damaged_is_named(
    model: Path, tmp_path: Path, cli: Cli
) -> None:
    folder = class_folders(tmp_path / "pets", {"red": 3})
    assert str(tmp_path / "no.png") in cli("predict", model, tmp_path / "no.png").error()
    with pytest.raises(DataError, match=r"there is no picture no\.png"):
        list(predict(model, lines=["no.png"]))
    path = csv_of_paths(tmp_path)
    (tmp_path / "in" / "3.png").unlink()
    said = cli("predict", model, path).error()
    assert "line 5 of" in said
    assert "in/3.png" in said
    (folder / "red" / "1.png").write_text("no picture")
    assert "red/1.png cannot be read" in cli("predict", model, folder).error()
    said = cli(
        "predict", model, write_picture(tmp_path / "texts", "red", 1).rename(tmp_path / "x.csv")
    )
    assert "not rows of text" in said.error()


def test_a_model_of_texts_reads_no_pictures(model: Path, tmp_path: Path, cli: Cli) -> None:
    (model / "preprocessor_config.json").unlink()
    assert inference.find_model(model).reads == "text"
    folder = class_folders(tmp_path / "pets", {"red": 3, "blue": 3})
    assert "text" in cli("predict", model, folder).error()
    assert "not rows of text" in cli("predict", model, folder / "red" / "0.png").error()


def test_the_card_shows_how_a_picture_is_asked_about() -> None:
    scores = {"accuracy": {"value": 0.9, "low": 0.8, "high": 1.0}}
    card = model_card(
        title="pets",
        base="a/b",
        licence=None,
        labels=["blue", "red"],
        rows={"train": 20, "validation": 5, "test": 5},
        result={"task": "image-classification", "metric": "accuracy", "validation": scores},
    )
    assert "pipeline_tag: image-classification" in card
    assert 'pipeline("image-classification", model=' in card
    assert "answers for pictures like those" in card
    assert "text" not in card
