"""A run that was stopped: what is refused when it goes on, what is kept, and how else to go on.

That it ends as if it had never stopped is shown in tests/contract and tests/proof.
"""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from quick_run import only_run, run_words
from tunewright.backends.torch.session import TorchSession
from tunewright.history.state import read_state
from tunewright.recipe.schema import Recipe
from tunewright.train.checkpoint import Checkpoints, complete_checkpoints
from tunewright.train.interrupt import Interrupted
from tunewright.warm_start import with_weights_of_run

pytestmark = pytest.mark.usefixtures("one_thread")
Cli = Callable[..., Any]


@contextmanager
def stopped_at_the_third_save() -> Iterator[pytest.MonkeyPatch]:
    """Within, every run is stopped when it has saved three checkpoints."""
    save, saves = Checkpoints.save, []

    def save_and_stop(*args: Any) -> None:
        save(*args)
        saves.append(1)
        if len(saves) == 3:
            raise Interrupted(signal.SIGTERM)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tunewright.train.checkpoint.EVERY_S", 0.0)
        patch.setattr(Checkpoints, "save", save_and_stop)
        yield patch


@pytest.fixture
def data(tickets: Path, tmp_path: Path) -> Path:
    """A file that a test may change."""
    copy = tmp_path / "tickets.csv"
    copy.write_text(tickets.read_text())
    return copy


@pytest.fixture
def stopped(data: Path, tiny_bert: Path, cli: Cli) -> Path:
    """A run that was stopped in training."""
    with stopped_at_the_third_save():
        assert cli(*run_words(data, tiny_bert)).code == 143
    assert len(complete_checkpoints(only_run() / "checkpoints")) == 2
    return only_run()


def refused(cli: Cli) -> str:
    said = cli("run", "--resume", "last")
    assert said.code == 2
    return str(said.error())


@pytest.mark.parametrize(
    ("asked_before", "asked_now", "told"),
    [
        (
            "label_smoothing: 0.0",
            "label_smoothing: 0.1",
            "recipe.train.label_smoothing changed since the run began: 0.0 before, 0.1 now",
        ),
        ("seed: 0", "seed: 1", "recipe.seed changed since the run began: 0 before, 1 now"),
        (
            "epochs: 2",
            "epochs: 3",
            "recipe.train.epochs changed since the run began: 2 before, 3 now",
        ),
        (
            "precision: fp32",
            "precision: bf16",
            "recipe.train.precision changed since the run began: fp32 before, bf16 now",
        ),
    ],
)
def test_a_recipe_that_changed_is_refused_by_name(
    asked_before: str, asked_now: str, told: str, stopped: Path, cli: Cli
) -> None:
    asked = stopped / "asked.yaml"
    before = asked.read_text()
    assert asked_before in before
    asked.write_text(before.replace(asked_before, asked_now))
    assert told in refused(cli)
    asked.write_text(before)
    assert cli("run", "--resume", "last").code == 0


def test_data_that_changed_is_refused(stopped: Path, data: Path, cli: Cli) -> None:
    before = data.read_text()
    for after in (
        before + "a new row about a parcel,shipping\n",
        "\n".join(before.splitlines()[:-9]) + "\n",
    ):
        data.write_text(after)
        assert "error: data" in (told := refused(cli))
        assert " changed since the run began: " in told
    data.write_text(before)
    assert cli("run", "--resume", "last").code == 0


def test_a_base_model_that_changed_is_refused(
    stopped: Path, tiny_bert: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tunewright.pretrained.catalog.weights_sha256", lambda _: "0123")
    assert "error: model changed since the run began: " in refused(cli)
    assert ", 0123 now" in refused(cli)


@pytest.mark.parametrize(
    ("file", "before", "after", "key"),
    [
        ("config.json", '"hidden_act": "gelu"', '"hidden_act": "relu"', "config"),
        ("tokenizer.json", '"with":', '"within":', "tokens"),
    ],
)
def test_a_base_model_whose_other_files_changed_is_refused(
    file: str, before: str, after: str, key: str, data: Path, tiny_bert: Path, cli: Cli
) -> None:
    model = data.parent / "model"
    shutil.copytree(tiny_bert, model)
    with stopped_at_the_third_save():
        assert cli(*run_words(data, model)).code == 143
    kept = (model / file).read_text()
    assert before in kept
    (model / file).write_text(kept.replace(before, after))
    assert f"error: {key} changed since the run began: " in refused(cli)
    (model / file).write_text(kept)
    assert cli("run", "--resume", "last").code == 0


def test_what_the_machine_measured_at_the_start_is_kept(
    data: Path, tiny_bert: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["run", data, "--model", tiny_bert, "--set", "evaluate.resamples=100"]
    with stopped_at_the_third_save() as patch:
        patch.setattr(TorchSession, "choose_precision", lambda _: ("fp32", "measured"))
        assert cli(*words).code == 143
    monkeypatch.setattr(TorchSession, "choose_precision", lambda _: ("bf16", "measured"))
    monkeypatch.setattr(TorchSession, "choose_threads", lambda _: (2, "measured"))
    said = cli("run", "--resume", "last")
    assert said.code == 0, said.err
    assert "precision: fp32" in (only_run() / "recipe.yaml").read_text()


def test_a_run_that_is_done_is_not_resumed(stopped: Path, cli: Cli) -> None:
    assert cli("run", "--resume", "last").code == 0
    assert not (stopped / "checkpoints").exists()
    assert "is done already" in refused(cli)
    (row,) = json.loads(cli("runs", "--json").out)
    assert row["state"] == "done"


@pytest.mark.parametrize("method", ["full", "lora"])
def test_a_new_run_starts_from_the_best_weights_of_a_stopped_one(
    method: str, data: Path, tiny_bert: Path, cli: Cli
) -> None:
    with stopped_at_the_third_save():
        assert cli(*run_words(data, tiny_bert, f"adapt.method={method}")).code == 143
    first = only_run()
    data.write_text(data.read_text() + "a new row about a parcel,shipping\n")
    (_, fix) = refused(cli).splitlines()
    assert "tunewright run DATA --model " in fix
    named = fix.rpartition("--model ")[2]
    said = cli(*run_words(data, Path(named)), "--name", "second")
    assert said.code == 0, said.err
    newest = complete_checkpoints(first / "checkpoints")[-1]
    made = first / f"model-at-{newest.name}"
    second = next(p for p in first.parent.iterdir() if "-second-" in p.name)
    assert json.loads((second / "result.json").read_text())["model"]["base"] == str(made)
    answer = cli("predict", made, "--text", "an invoice with a wrong tax")
    assert json.loads(answer.out)["label"]


def test_a_run_without_any_weights_is_no_model(data: Path, tiny_bert: Path, cli: Cli) -> None:
    assert cli("run", data, "--model", tiny_bert, "--until", "adapt").code == 0
    said = cli("run", data, "--model", only_run())
    assert said.code == 2
    assert "is not done, and has no whole checkpoint" in said.error()


def test_a_refused_resume_changes_nothing(data: Path, tiny_bert: Path, cli: Cli) -> None:
    words = ["run", data, "--model", tiny_bert, "--set", "evaluate.resamples=100"]
    with stopped_at_the_third_save():
        assert cli(*words).code == 143
    asked, seen = only_run() / "asked.yaml", only_run() / "recipe.yaml"
    state, recipe, before = read_state(only_run()), seen.read_text(), asked.read_text()
    assert "threads: auto" in before
    asked.write_text(before.replace("threads: auto", "threads: 4"))
    assert "recipe.train.threads changed since the run began: 1 before, 4 now" in refused(cli)
    after = read_state(only_run())
    assert seen.read_text() == recipe
    assert (after["state"], after["stage"]) == (state["state"], state["stage"])
    asked.write_text(before)
    assert cli("run", "--resume", "last").code == 0


def test_a_run_that_was_to_test_tests_after_it_was_resumed(
    data: Path, tiny_bert: Path, cli: Cli
) -> None:
    with stopped_at_the_third_save():
        assert cli(*run_words(data, tiny_bert), "--test").code == 143
    assert cli("run", "--resume", "last").code == 0
    assert json.loads((only_run() / "result.json").read_text())["test"] is not None


def test_after_a_change_of_the_recipe_the_weights_are_still_those_of_the_checkpoint(
    data: Path, tiny_bert: Path, cli: Cli
) -> None:
    with stopped_at_the_third_save():
        assert cli(*run_words(data, tiny_bert)).code == 143
    asked = only_run() / "asked.yaml"
    asked.write_text(asked.read_text().replace("method: auto", "method: lora"))
    assert "recipe.adapt" in refused(cli)
    made = Path(with_weights_of_run(Recipe.model_validate({"model": str(only_run())})).model)
    newest = complete_checkpoints(only_run() / "checkpoints")[-1]
    best, model = load_file(newest / "best.safetensors"), load_file(made / "model.safetensors")
    assert all(torch.equal(model[name], tensor) for name, tensor in best.items())
