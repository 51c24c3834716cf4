"""What a run says of what its model lost."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from markupsafe import escape
from safetensors.numpy import load_file, save_file

from quick_run import only_run, run_words
from tiny_chats import chats, write_chat_model, write_lines
from tunewright.durable import read_lines
from tunewright.forgotten import forgotten
from tunewright.recipe.load import build_recipe, load_recipe

pytestmark = pytest.mark.usefixtures("one_thread")
Cli = Callable[..., Any]
ON = "evaluate.forgetting=on"


def result_of(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "result.json").read_text())
    return found


def test_an_encoder_that_learned_is_compared_with_what_it_was(
    cli: Cli, tiny_bert: Path, tickets: Path
) -> None:
    said = cli(
        *run_words(tickets, tiny_bert, ON, "train.learning_rate=0.0005", "evaluate.metric=log_loss")
    )
    assert said.code == 0, said.err
    run = only_run()
    found = result_of(run)["forgetting"]
    assert found["cka"] < 1
    assert {"base", "tuned", "difference"} == set(found["probe"])
    assert escape(found["sentence"]) in (run / "report.html").read_text()
    told = [each for each in read_lines(run / "events.jsonl") if each["event"] == "forgetting"]
    assert [each["sentence"] for each in told] == [found["sentence"]]
    again = forgotten(run / "model", tiny_bert, load_recipe(run / "recipe.yaml"))
    assert {**(again or {}), "seconds": 0} == {**found, "seconds": 0}


def test_the_more_a_model_is_moved_the_less_of_its_shape_is_kept(
    tiny_bert: Path, tmp_path: Path
) -> None:
    recipe = build_recipe(
        {"task": "text-classification", "evaluate": {"forgetting": "on", "resamples": 100}}
    )
    kept = []
    for much in (0.0, 0.1, 1.0):
        moved = shutil.copytree(tiny_bert, tmp_path / f"moved-{much}")
        weights = load_file(moved / "model.safetensors")
        random = np.random.default_rng(0)
        for name, each in weights.items():
            noise = random.normal(scale=each.std(), size=each.shape) if each.ndim > 1 else 0
            weights[name] = (each + much * noise).astype(np.float32)
        save_file(weights, moved / "model.safetensors", metadata={"format": "pt"})
        found = forgotten(moved, tiny_bert, recipe)
        assert found is not None
        kept.append(found["cka"])
    assert kept[0] == pytest.approx(1)
    assert kept == sorted(kept, reverse=True)
    assert kept[-1] < 0.9


def test_a_head_alone_forgets_nothing_also_where_it_was_given_a_block(
    cli: Cli, tiny_bert: Path, tickets: Path
) -> None:
    said = cli(*run_words(tickets, tiny_bert, ON, "train.strategy=head", "adapt.pooling=mean"))
    assert said.code == 0, said.err
    found = result_of(only_run())["forgetting"]
    assert found["cka"] == pytest.approx(1)
    assert found["cosine"] == pytest.approx(1)
    assert found["probe"]["difference"]["value"] == 0
    assert not found["matters"]


def test_it_is_left_out_where_no_block_learns(cli: Cli, tiny_bert: Path, tickets: Path) -> None:
    auto = "evaluate.forgetting=auto"
    assert cli(*run_words(tickets, tiny_bert, auto, "train.strategy=head")).code == 0
    assert result_of(only_run())["forgetting"] is None
    assert load_recipe(only_run() / "recipe.yaml").evaluate.forgetting == "off"


def test_a_language_model_is_asked_texts_and_questions(cli: Cli, tmp_path: Path) -> None:
    writer = write_chat_model(tmp_path / "writer")
    data = write_lines(tmp_path / "chats.jsonl", chats(40))
    said = cli(*run_words(data, writer, "evaluate.forgetting=auto", "evaluate.answers=0"))
    assert said.code == 0, said.err
    run = only_run()
    found = result_of(run)["forgetting"]
    assert found["loss"]["base"]["value"] > 0
    assert found["asked"] == 40
    assert 0 <= found["questions"]["tuned"]["value"] <= 1
    assert "Questions answered right" in (run / "report.html").read_text()
    itself = forgotten(writer, writer, load_recipe(run / "recipe.yaml"))
    assert itself is not None
    for name in ("loss", "questions"):
        assert itself[name]["difference"] == {"value": 0, "low": 0, "high": 0}


def test_what_cannot_be_compared_is_said_and_the_run_is_whole(
    cli: Cli, tiny_bert: Path, tickets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tunewright import forgotten as module
    from tunewright.errors import ModelError

    def refuse(*_: Any, **__: Any) -> None:
        raise ModelError("it gives no vectors", fix="none")

    monkeypatch.setattr(module, "mean_vectors", refuse)
    assert cli(*run_words(tickets, tiny_bert, ON, "train.epochs=1")).code == 0
    assert result_of(only_run())["forgetting"]["left_out"] == "it gives no vectors"
    assert "it gives no vectors" in (only_run() / "report.html").read_text()
