"""A run shows scores by the columns that its user names, and asks which when one is not there."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from quick_run import only_run, run_words
from tiny_models import text_rows

pytestmark = pytest.mark.usefixtures("one_thread")
REGIONS = ("north", "south")


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    path = tmp_path / "shop.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label", "region", "price"])
        for at, row in enumerate(text_rows(300)):
            writer.writerow([*row, REGIONS[at % 2], at])
    return path


def by(found: list[dict[str, Any]], kind: str) -> dict[str, int]:
    return {each["slice"]: each["rows"] for each in found if each["by"] == kind}


def test_scores_are_told_by_the_columns_named(
    shop: Path, tiny_bert: Path, cli: Callable[..., Any]
) -> None:
    said = cli(*run_words(shop, tiny_bert, "evaluate.slices=[region]", "data.columns.label=label"))
    assert said.code == 0, said.err
    run = only_run()
    rows = json.loads((run / "data" / "report.json").read_text())["split"]["rows"]
    found = json.loads(cli("evaluate", run, "--json").out)["slices"]
    assert set(by(found, "column region")) == set(REGIONS)
    assert sum(by(found, "column region").values()) == rows["validation"]
    assert "By <bdi>column region</bdi>" in (run / "report.html").read_text()

    other = json.loads(cli("evaluate", run, "--slices", "price", "--json").out)["slices"]
    assert len(by(other, "column price")) == 4
    assert not by(other, "column region")
    assert "south" in cli("evaluate", run).out

    wrong = cli("evaluate", run, "--slices", "regoin")
    assert wrong.code == 2
    assert "did you mean 'region'" in wrong.error()

    assert cli("test", run).code == 0
    tested = json.loads((run / "data" / "report.json").read_text())["slices"]
    assert sum(by(tested, "column region").values()) == rows["test"]


def test_a_column_that_is_not_there_is_refused_before_training(
    shop: Path, tiny_bert: Path, cli: Callable[..., Any]
) -> None:
    said = cli(*run_words(shop, tiny_bert, "evaluate.slices=[pirce]"))
    assert said.code == 2
    assert "did you mean 'price'" in said.error()
