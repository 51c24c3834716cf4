"""Thresholds are fitted in a run, kept with its model, and asked by evaluate, test and predict."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quick_run import only_run, parsed, run_words
from tiny_models import text_rows, write_csv
from tunewright import deciding

pytestmark = pytest.mark.usefixtures("one_thread")
Cli = Callable[..., Any]
ASKED = ("evaluate.thresholds=auto", "evaluate.metric=macro_f1")


@pytest.fixture
def uneven(tmp_path: Path) -> Path:
    """Two labels: of the rows with some words four in ten are rare, of the others none."""
    rows = [
        (text, "rare" if label == "billing" and at // 3 % 5 < 2 else "usual")
        for at, (text, label) in enumerate(text_rows(400))
    ]
    return write_csv(tmp_path / "uneven.csv", rows)


@pytest.mark.parametrize("backend", ["torch", pytest.param("keras", marks=pytest.mark.slow)])
def test_a_run_has_one_threshold_and_all_ask_it(
    backend: str, uneven: Path, tiny_bert: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def halfway(metric: str, shares: np.ndarray, labels: np.ndarray, *, seed: int) -> np.ndarray:
        middle = float(np.median(shares[:, 1]))
        return np.array([1 - middle, middle])

    monkeypatch.setattr(deciding, "fitted", halfway)  # two random blocks would learn one half
    if backend == "keras":
        pytest.importorskip("keras_hub")
    said = cli(*run_words(uneven, tiny_bert, f"backend={backend}", *ASKED))
    assert said.code == 0, said.err
    run = only_run()
    kept = json.loads((run / "model" / "config.json").read_text())["decision_thresholds"]
    assert kept["rare"] + kept["usual"] == pytest.approx(1)
    found = json.loads(cli("evaluate", run, "--json").out)
    fit = found["thresholds"]
    assert fit["thresholds"] == kept
    assert fit["at_thresholds"] == pytest.approx(found["scores"]["macro_f1"]["value"])
    result = json.loads((run / "result.json").read_text())
    assert result["validation"]["macro_f1"]["value"] == pytest.approx(fit["at_thresholds"])
    for row in parsed(cli("predict", run, uneven, "--json").out):
        usual = row["confidence"] if row["label"] == "usual" else 1 - row["confidence"]
        assert (usual >= kept["usual"] - 1e-6) == (row["label"] == "usual")
    assert fit["rows_changed"] > 0
    assert "Thresholds</h2>" in (run / "report.html").read_text()
    assert cli("test", run).code == 0
    tested = json.loads((run / "data" / "report.json").read_text())["thresholds"]
    assert tested["thresholds"] == kept


def test_where_no_threshold_decides_it_is_refused(tickets: Path, tiny_bert: Path, cli: Cli) -> None:
    said = cli(*run_words(tickets, tiny_bert, *ASKED))
    assert said.code == 2
    assert "of 3 labels the likeliest is answered" in said.error()


def test_a_metric_of_shares_is_refused(uneven: Path, tiny_bert: Path, cli: Cli) -> None:
    said = cli(
        *run_words(uneven, tiny_bert, "evaluate.thresholds=auto", "evaluate.metric=log_loss")
    )
    assert said.code == 2
    assert "no threshold changes" in said.error()
