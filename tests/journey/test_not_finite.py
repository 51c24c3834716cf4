"""A training whose numbers run away: it stops and names the rows, or skips their batch."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from quick_run import only_run, run_words
from tunewright.backends.torch.classifier import TorchClassifier
from tunewright.durable import read_lines

pytestmark = pytest.mark.usefixtures("one_thread")
Cli = Callable[..., Any]
BAD_STEP = 3


@pytest.fixture
def one_bad_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """The weights of the classes are no numbers in one step, and so is its loss."""
    step, count = TorchClassifier.train_step, 0

    def stepped(self: TorchClassifier, *args: Any, **more: Any) -> Any:
        nonlocal count
        self.label_weights = torch.full((3,), float("nan")) if count == BAD_STEP else None
        count += 1
        return step(self, *args, **more)

    monkeypatch.setattr(TorchClassifier, "train_step", stepped)


def bad_rows(run: Path) -> dict[str, Any]:
    (event,) = [e for e in read_lines(run / "events.jsonl") if e["event"] == "not_finite"]
    return dict(event)


def test_the_run_stops_and_names_the_lines(
    tickets: Path, tiny_bert: Path, cli: Cli, one_bad_batch: None
) -> None:
    said = cli(*run_words(tickets, tiny_bert))
    assert said.code == 1
    event = bad_rows(only_run())
    assert event["step"] == BAD_STEP
    assert f"the loss is not a finite number at step {BAD_STEP}, on line " in said.error()
    assert event["places"] in said.error()
    assert event["places"].endswith(f"of {tickets} and {len(event['rows']) - 5} more")
    assert not (only_run() / "model").exists()
    page = (only_run() / "report.html").read_text()
    assert "Training could not go on" in page
    assert event["places"][:40] in page
    assert "stopped</td>" in page
    (row,) = json.loads(cli("runs", "--json").out)
    assert row["state"] == "failed"


def test_or_the_batch_is_skipped_and_the_report_shows_it(
    tickets: Path, tiny_bert: Path, cli: Cli, one_bad_batch: None
) -> None:
    said = cli(*run_words(tickets, tiny_bert, "train.not_finite=skip"))
    assert said.code == 0, said.err
    event = bad_rows(only_run())
    assert event["skipped"]
    assert f"the batch is skipped, {event['places']}" in said.err
    page = (only_run() / "report.html").read_text()
    assert "Not finite" in page
    assert event["places"][:40] in page
    assert "skipped</td>" in page
    for seen in read_lines(only_run() / "events.jsonl"):
        assert seen.get("loss", 0.0) == seen.get("loss", 0.0)
