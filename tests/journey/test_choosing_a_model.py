"""Models are ranked on the user's rows before anything is tuned; seeds are judged together."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from quick_run import QUICK
from tiny_models import text_rows, write_csv, write_model
from tunewright import choosing
from tunewright.errors import TunewrightError

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
    values = [each["probe"]["value"] for each in found["candidates"]]
    assert values == sorted(values, reverse=True)
    best, second = found["candidates"]
    assert found["best"] == best["model"]
    assert best["difference"] == {"value": 0, "low": 0, "high": 0}
    assert second["difference"]["low"] <= second["difference"]["value"] <= 0
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
    monkeypatch.setattr(choosing, "candidates_for", lambda task: (str(tiny_bert),))
    said = cli("run", tickets, "--model", "auto", "--until", "adapt", "--json")
    assert said.code == 0, said.err
    from quick_run import only_run

    recipe = (only_run() / "recipe.yaml").read_text()
    line = next(line for line in recipe.splitlines() if line.startswith("model:"))
    assert str(tiny_bert) in line
    assert "of a probe on the rows" in recipe
    resumed = cli("run", "--resume", "last", "--set", *QUICK)
    assert resumed.code == 2, "a resumed run keeps its recipe"


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
