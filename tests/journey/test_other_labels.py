"""Several labels for a row, or a number: from a file to a tested model, on each backend."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from quick_run import only_run, parsed, run_words
from tiny_models import text_rows

pytestmark = pytest.mark.usefixtures("one_thread")
Cli = Callable[..., Any]
NEEDS_KERAS = pytest.mark.skipif(
    find_spec("keras_hub") is None, reason="needs the extra tensorflow"
)
BACKENDS = ["torch", pytest.param("keras", marks=[NEEDS_KERAS, pytest.mark.slow])]
TEXTS = [text for text, _ in text_rows(9)]


def several(folder: Path) -> Path:
    path = folder / "several.jsonl"
    rows = [
        {"text": text, "labels": [label, *(["long"] if text.count(" ") > 9 else [])]}
        for text, label in text_rows(150)
    ]
    path.write_text("\n".join(map(json.dumps, rows)) + "\n")
    return path


def numbers(folder: Path) -> Path:
    path = folder / "numbers.csv"
    size = {"billing": 10.0, "shipping": 20.0, "technical": 40.0}
    lines = [
        f"{text},{size[label] + index / 100}" for index, (text, label) in enumerate(text_rows(150))
    ]
    path.write_text("\n".join(["text,score", *lines]) + "\n")
    return path


def plain_scores(run: Path) -> np.ndarray:
    """Of `TEXTS`, as Transformers alone gives them."""
    tokenizer = AutoTokenizer.from_pretrained(run / "model")
    model = AutoModelForSequenceClassification.from_pretrained(run / "model").eval()
    given = tokenizer(TEXTS, padding=True, return_tensors="pt")
    given = {name: each for name, each in given.items() if name != "token_type_ids"}
    with torch.no_grad():
        found: np.ndarray = model(**given).logits.numpy()
    return found


@pytest.mark.parametrize("backend", BACKENDS)
def test_several_labels(backend: str, tiny_bert: Path, tmp_path: Path, cli: Cli) -> None:
    words = run_words(several(tmp_path), tiny_bert, f"backend={backend}", "train.epochs=8")
    said = cli(*words, "--test", "--json")
    assert said.code == 0, said.err
    run, result = only_run(), parsed(said.out)[-1]
    assert (result["task"], result["metric"]) == ("text-multi-label", "micro_f1")
    assert set(result["test"]) == {"micro_f1", "macro_f1", "exact_match", "log_loss", "looks"}
    assert (
        result["test"]["micro_f1"]["value"] > result["baselines"]["majority"]["micro_f1"]["value"]
    )
    answers = parsed(cli("predict", run.name, "--text", TEXTS[0]).out)
    names = AutoModelForSequenceClassification.from_pretrained(run / "model").config.id2label
    shares = 1 / (1 + np.exp(-plain_scores(run)[0]))
    expected = {names[k]: shares[k] for k in range(len(names)) if shares[k] >= 0.5}
    found = dict(zip(answers[0]["labels"], answers[0]["confidences"], strict=True))
    assert found == pytest.approx(expected, abs=1e-5)
    assert cli("evaluate", run.name).code == 0
    assert "billing" in (run / "report.html").read_text()


@pytest.mark.parametrize("backend", BACKENDS)
def test_numbers(backend: str, tiny_bert: Path, tmp_path: Path, cli: Cli) -> None:
    words = run_words(numbers(tmp_path), tiny_bert, f"backend={backend}", "train.epochs=8")
    said = cli(*words, "--test", "--json")
    assert said.code == 0, said.err
    run, result = only_run(), parsed(said.out)[-1]
    assert (result["task"], result["metric"]) == ("text-regression", "rmse")
    assert set(result["test"]) == {"rmse", "mae", "r2", "pearson", "spearman", "looks"}
    assert result["baselines"]["mean"]["r2"]["value"] < 0.1
    assert result["test"]["rmse"]["value"] < result["baselines"]["mean"]["rmse"]["value"]
    file = tmp_path / "texts.csv"
    file.write_text("\n".join(["text", *TEXTS]) + "\n")
    answers = parsed(cli("predict", run.name, file).out)
    found = [answer["value"] for answer in answers]
    np.testing.assert_allclose(found, plain_scores(run)[:, 0], rtol=1e-4, atol=1e-4)
    assert 5 < np.mean(found) < 45
    assert "<svg" in (run / "report.html").read_text()
    assert cli("predict", run.name, file, "--csv").out.startswith("text,value\n")


@pytest.mark.parametrize(
    ("make", "settings", "said"),
    [
        (numbers, ["train.label_smoothing=0.1"], "the rows have no classes"),
        (numbers, ["train.class_weights=balanced"], "the rows have no classes"),
        (numbers, ["evaluate.metric=accuracy"], "evaluate.metric is accuracy"),
        (several, ["evaluate.metric=mcc"], "evaluate.metric is mcc"),
        (several, ["task=text-classification"], "lists or objects"),
        (several, ["task=text-regression"], "lists or objects"),
        (numbers, ["task=text-classification"], "decimal numbers"),
    ],
)
def test_what_such_labels_cannot_have_is_refused(
    make: Callable[[Path], Path],
    settings: list[str],
    said: str,
    tiny_bert: Path,
    tmp_path: Path,
    cli: Cli,
) -> None:
    found = cli(*run_words(make(tmp_path), tiny_bert, *settings))
    assert found.code == 2
    assert said in found.error()
