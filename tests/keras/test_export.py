"""`export`: what is written answers as the run's model does, or is an error and leaves nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

if find_spec("keras_hub") is None:
    pytest.skip("needs the extra tensorflow", allow_module_level=True)

from quick_run import only_run, run_words
from tunewright.backends.keras import export

pytestmark = pytest.mark.usefixtures("one_thread")
Cli = Callable[..., Any]


@pytest.fixture
def done(tickets: Path, tiny_bert: Path, cli: Cli) -> Path:
    assert cli(*run_words(tickets, tiny_bert, "train.epochs=1")).code == 0
    return only_run()


@pytest.mark.parametrize(
    ("to", "file"),
    [("keras", "model.keras"), ("savedmodel", "saved_model.pb"), ("tflite", "model.tflite")],
)
def test_each_form_answers_as_the_run(
    to: str, file: str, done: Path, tmp_path: Path, cli: Cli
) -> None:
    said = cli("export", done.name, tmp_path / "out", "--to", to, "--json")
    assert said.code == 0, said.err
    found = json.loads(said.out)
    assert found["rows"] > 20
    assert found["apart"] < 1e-4
    assert (tmp_path / "out" / file).exists()
    assert (tmp_path / "out" / "tokenizer.json").exists()
    names = json.loads((tmp_path / "out" / "labels.json").read_text("utf-8"))
    config = json.loads((done / "model" / "config.json").read_text("utf-8"))
    assert names == [config["id2label"][str(index)] for index in range(len(names))]
    assert len(names) > 2
    tokenizer = json.loads((tmp_path / "out" / "tokenizer_config.json").read_text("utf-8"))
    assert tokenizer["model_max_length"] == config["trained_max_length"]


def test_a_model_that_answers_otherwise_is_not_written(
    done: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(fw: Any, model: Any, out: Path) -> Any:
        (out / "model.keras").write_text("")
        return lambda given: np.asarray(model(list(given.values()))) + 0.01

    monkeypatch.setitem(export.FORMS, "keras", wrong)
    said = cli("export", done.name, tmp_path / "out")
    assert said.code == 2
    assert "answers otherwise: scores differ by 0.01" in said.error()
    assert not (tmp_path / "out").exists()


def test_a_form_or_folder_that_cannot_be_is_refused(done: Path, tmp_path: Path, cli: Cli) -> None:
    assert (
        "there is no form 'onnx'" in cli("export", "last", tmp_path / "a", "--to", "onnx").error()
    )
    assert "is there already" in cli("export", "last", tmp_path).error()
    assert "no run" in cli("export", "nothing", tmp_path / "b").error()
