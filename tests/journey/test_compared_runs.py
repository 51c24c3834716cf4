"""Runs held against each other: the same rows, only the settings that differ."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tunewright
from quick_run import QUICK
from tiny_models import text_rows, write_csv

pytestmark = pytest.mark.usefixtures("one_thread")
Cli = Callable[..., Any]


@pytest.fixture(scope="module")
def other(tiny_bert: Path, done: Path, tickets: Path) -> Path:
    """The same data at another rate."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TUNEWRIGHT_RUNS", str(done.parent))
        settings = [*QUICK, "train.learning_rate=1e-7", "train.strategy=full"]
        return tunewright.run(tickets, model=str(tiny_bert), settings=settings).folder


def test_a_comparison_names_what_differs_and_is_paired_by_row(
    cli: Cli, done: Path, other: Path, tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    out = cli("compare", str(done), str(other), "--html", str(page), "--json")
    found = json.loads(out.out)
    assert set(found["settings"]) >= {"train.learning_rate", "train.strategy"}
    assert not set(found["settings"]) & {"seed", "data.train", "name", "train.batch_size"}
    (difference,) = found["differences"]
    assert (difference["run"], difference["against"]) == (other.name, done.name)
    scores = [run["score"]["value"] for run in found["runs"]]
    assert difference["difference"]["value"] == pytest.approx(scores[1] - scores[0])
    assert difference["num_fixed"] - difference["num_broken"] == round(
        (scores[1] - scores[0]) * found["rows"]
    )
    text = page.read_text("utf-8")
    assert other.name in text
    assert "train.learning_rate" in text
    assert "<script" not in text


def test_a_comparison_is_readable_in_the_terminal(cli: Cli, done: Path, other: Path) -> None:
    said = cli("compare", str(done), str(other)).out
    assert "train.learning_rate" in said
    assert "one run of each" in said


def test_a_run_is_not_compared_with_itself(cli: Cli, done: Path) -> None:
    failed = cli("compare", done, done)
    assert failed.code == 2
    assert "two or more different runs are compared" in failed.err


def test_runs_that_share_too_few_rows_say_why(
    cli: Cli, done: Path, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tunewright.comparing.FEWEST_ROWS", 1000)
    failed = cli("compare", done, other)
    assert failed.code == 2
    assert "or more: one has" in failed.err
    assert "seeds differ" not in failed.err


def test_rows_that_a_run_was_trained_on_prove_nothing(
    cli: Cli, done: Path, other: Path, tickets: Path
) -> None:
    failed = cli("compare", done, other, "--data", tickets)
    assert failed.code == 2
    assert "sealed" in failed.err


def test_runs_are_compared_on_another_file(
    cli: Cli, done: Path, other: Path, tmp_path: Path
) -> None:
    rows = [(f"{text} again", label) for text, label in text_rows(30)]
    new = write_csv(tmp_path / "new.csv", rows)
    found = json.loads(cli("compare", str(done), str(other), "--data", str(new), "--json").out)
    assert (found["rows"], found["on"]) == (30, str(new))
