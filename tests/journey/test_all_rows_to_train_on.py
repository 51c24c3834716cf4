"""A run whose split leaves parts out: it trains on every row, and judges nothing it has no rows for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from quick_run import PLAIN, only_run, run_words
from tiny_chats import chats, preferences, write_chat_model, write_lines
from tunewright.durable import read_lines
from tunewright.history.state import read_state
from tunewright.life import go_on

ALL = ("data.split.validation=0", "data.split.test=0")
RATE = "train.learning_rate=0.001"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_chat_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.mark.parametrize("make", [chats, preferences])
@pytest.mark.usefixtures("one_thread")
def test_ten_rows_are_all_trained_on(cli: Any, tmp_path: Path, model: Path, make: object) -> None:
    data = write_lines(tmp_path / "ten.jsonl", make(10))  # type: ignore[operator]
    words = run_words(data, model, *ALL, RATE, "train.batch_size=2")
    assert cli(*words, "--until", "train").code == 0
    run = only_run()
    events = read_lines(run / "events.jsonl")
    assert not [event for event in events if event["event"] == "evaluated"]
    (phase,) = [event for event in events if event["event"] == "phase_ended"]
    assert phase["last_step"] == 10
    told = [event for event in events if event["event"] == "steps"]
    losses = [loss for event in told for loss in event["losses"]]
    assert len(losses) == 10
    assert losses[-1] < losses[0]
    assert (run / "model" / "model.safetensors").is_file()
    parts = (run / "data" / "splits.csv").read_text().splitlines()[1:]
    assert [line.split(",")[1] for line in parts] == ["train"] * 10


@pytest.mark.usefixtures("one_thread")
def test_a_run_without_rows_to_judge_on_must_end_with_training(
    cli: Any, tmp_path: Path, model: Path
) -> None:
    data = write_lines(tmp_path / "ten.jsonl", chats(10))
    assert "data.split.validation is 0" in cli(*run_words(data, model, *ALL)).error()
    said = cli(*run_words(data, model, ALL[1], "data.split.validation=0.3"), "--test").error()
    assert "data.split.test is 0" in said
    assert cli(*run_words(data, model, *ALL, "train.epochs=1"), "--until", "train").code == 0
    run = only_run()
    go_on(run, until="train", ends=True)
    assert read_state(run)["state"] == "done"
    assert not (run / "checkpoints").exists()
    assert "data.split.test is 0" in cli("test", run).error()
    assert "data.split.validation is 0" in cli("evaluate", run).error()


def test_a_search_needs_rows_to_judge_on(cli: Any, tmp_path: Path, model: Path) -> None:
    data = write_lines(tmp_path / "ten.jsonl", chats(10))
    said = cli("tune", data, "--model", model, "--trials", 1, "--set", *PLAIN, ALL[0]).error()
    assert "data.split.validation is 0" in said
