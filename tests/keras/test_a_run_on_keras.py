"""`--backend keras` from the command line: a whole run, a stopped one, and what is refused."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

if find_spec("keras_hub") is None:
    pytest.skip("needs the extra tensorflow", allow_module_level=True)

from quick_run import only_run, run_words, weights_hash
from tiny_models import text_rows, write_model
from tunewright.backends.torch.predictor import TorchPredictor
from tunewright.inference import predict
from tunewright.train.checkpoint import Checkpoints
from tunewright.train.interrupt import Interrupted

pytestmark = pytest.mark.usefixtures("one_thread")
Cli = Callable[..., Any]


def words(data: Path, model: Path, *settings: str) -> list[str]:
    return run_words(data, model, "backend=keras", "adapt.dropout=0.1", *settings)


@pytest.mark.parametrize("settings", [[], ["adapt.method=lora", "adapt.layers=top-1"]])
def test_a_whole_run_and_its_model(
    settings: list[str], tickets: Path, tiny_bert: Path, cli: Cli
) -> None:
    said = cli(*words(tickets, tiny_bert, *settings), "--test", "--json")
    assert said.code == 0, said.err
    result = json.loads(said.out.splitlines()[-1])
    run = only_run()
    assert result["test"]["looks"] == 1
    assert "tensorflow" in json.loads((run / "run.json").read_text())["versions"]
    assert (run / "model" / "adapter").exists() == bool(settings)
    texts = [text for text, _ in text_rows(12)]
    answers = [answer["confidence"] for answer in predict(run.name, lines=texts)]
    plain = TorchPredictor(run / "model").answers(texts).max(1)
    np.testing.assert_allclose(answers, plain, atol=1e-5)


@pytest.mark.parametrize("saves", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_a_run_that_goes_on_ends_as_one_that_never_stopped(
    saves: int, tickets: Path, tiny_bert: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tunewright.train.checkpoint.EVERY_S", 0.0)
    assert cli(*words(tickets, tiny_bert)).code == 0
    whole = only_run()
    ended = weights_hash(whole)
    before = whole.rename(whole.parent.parent / "before")
    save, left = Checkpoints.save, [saves]

    def save_and_stop(*args: Any) -> None:
        save(*args)
        left[0] -= 1
        if not left[0]:
            raise Interrupted(signal.SIGTERM)

    monkeypatch.setattr(Checkpoints, "save", save_and_stop)
    assert cli(*words(tickets, tiny_bert)).code == 143
    monkeypatch.setattr(Checkpoints, "save", save)
    assert cli("run", "--resume", "last").code == 0
    assert weights_hash(only_run()) == ended
    told = [json.loads((run / "result.json").read_text()) for run in (before, only_run())]
    assert told[0]["validation"] == told[1]["validation"]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (["adapt.method=rslora"], "adapt.method is rslora, which backend keras does not have"),
        (["adapt.method=dora"], "adapt.method is dora, which backend keras does not have"),
        (["backend=jax"], "backend"),
    ],
)
def test_a_wish_that_cannot_be_granted_is_refused(
    settings: list[str], told: str, tickets: Path, tiny_bert: Path, cli: Cli
) -> None:
    said = cli(*words(tickets, tiny_bert, *settings))
    assert said.code == 2
    assert told in said.error()


def test_a_model_that_keras_does_not_know_is_refused(
    tickets: Path, tmp_path: Path, cli: Cli
) -> None:
    said = cli(*words(tickets, write_model(tmp_path / "electra", "electra")))
    assert said.code == 2
    assert "cannot classify with a model of the type electra" in said.error()


def test_without_the_extra_the_install_line_is_given(
    tickets: Path, tiny_bert: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "keras_hub", None)
    said = cli(*words(tickets, tiny_bert))
    assert said.code == 2
    assert "pip install 'tunewright[tensorflow]'" in said.error()


def test_importing_tunewright_leaves_keras_alone() -> None:
    code = (
        "import os, sys; os.environ.pop('KERAS_BACKEND', None); "
        "import tunewright, tunewright.cli.main, tunewright.backends; "
        "sys.exit('keras' in sys.modules or 'KERAS_BACKEND' in os.environ)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
