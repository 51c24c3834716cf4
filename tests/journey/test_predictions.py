"""What the model answers: to a file, a pipe, one text; and the same without Tunewright."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from quick_run import only_run, parsed, run_words
from tiny_models import text_rows, write_csv

pytestmark = pytest.mark.usefixtures("one_thread")
Cli = Callable[..., Any]


def by_transformers(
    model: Path, texts: list[str], pairs: list[str] | None = None, max_length: int | None = None
) -> list[Any]:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model)
    plain = AutoModelForSequenceClassification.from_pretrained(model).eval()
    answers = []
    for index, text in enumerate(texts):
        second = None if pairs is None else pairs[index]
        batch = tokenizer(text, second, truncation=True, max_length=max_length, return_tensors="pt")
        with torch.no_grad():
            chances = plain(**batch).logits[0].softmax(-1)
        best = int(chances.argmax())
        answers.append((plain.config.id2label[best], float(chances[best])))
    return answers


def assert_same_answers(found: list[dict[str, Any]], expected: list[Any]) -> None:
    assert [answer["label"] for answer in found] == [label for label, _ in expected]
    confidences = [answer["confidence"] for answer in found]
    assert confidences == pytest.approx([c for _, c in expected], abs=1e-5)


TEXTS = [
    "please help with my invoice refund",
    "a",
    "the parcel is late because courier lost tracking again and again and never delivery since monday",
    "ünknown wörds only 🎉",
    "screen crash",
]


def test_predictions_of_a_file_equal_those_of_plain_transformers(
    done: Path, cli: Cli, tmp_path: Path
) -> None:
    expected = by_transformers(done / "model", TEXTS)
    path = tmp_path / "new.csv"
    path.write_text("text\n" + "\n".join(TEXTS) + "\n")
    for target in (done, done / "model"):
        said = cli("predict", target, path)
        assert said.code == 0, said.err
        found = parsed(said.out)
        assert [answer["text"] for answer in found] == TEXTS
        assert_same_answers(found, expected)
    table = list(csv.DictReader(io.StringIO(cli("predict", done, path, "--csv").out)))
    assert [row["label"] for row in table] == [label for label, _ in expected]


def test_predictions_of_a_pipe_come_in_its_order(
    done: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [TEXTS[0], json.dumps({"text": TEXTS[2], "id": 5}), TEXTS[1], "", TEXTS[4]]
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n".join(lines) + "\n"))
    said = cli("predict", done, "-")
    assert said.code == 0, said.err
    texts = [TEXTS[0], TEXTS[2], TEXTS[1], "", TEXTS[4]]
    assert [answer["text"] for answer in parsed(said.out)] == texts
    assert_same_answers(parsed(said.out), by_transformers(done / "model", texts))


def test_one_text_gets_one_answer(done: Path, cli: Cli) -> None:
    said = cli("predict", done, "--text", TEXTS[0])
    assert_same_answers(parsed(said.out), by_transformers(done / "model", TEXTS[:1]))
    assert len(said.out.splitlines()) == 1
    assert cli("predict", done).code == 2


def test_pairs_of_texts_are_trained_and_predicted_as_pairs(
    tiny_bert: Path, cli: Cli, tmp_path: Path
) -> None:
    rows = [
        (one, two, label)
        for (one, label), (two, _) in zip(text_rows(120), text_rows(120, seed=1), strict=True)
    ]
    path = tmp_path / "pairs.csv"
    path.write_text("sentence1,sentence2,label\n" + "\n".join(map(",".join, rows)) + "\n")
    assert cli(*run_words(path, tiny_bert)).code == 0
    found = parsed(cli("predict", only_run(), path).out)
    ones, twos = [row[0] for row in rows], [row[1] for row in rows]
    assert_same_answers(found, by_transformers(only_run() / "model", ones, twos))
    alone = by_transformers(only_run() / "model", ones)
    assert [c for _, c in alone] != pytest.approx([f["confidence"] for f in found], abs=1e-4)
    evaluated = json.loads(cli("evaluate", only_run(), "--json").out)
    result = json.loads((only_run() / "result.json").read_text())
    assert evaluated["scores"]["accuracy"]["value"] == result["validation"]["accuracy"]["value"]


def test_rows_are_cut_as_in_training_and_the_tokenizer_keeps_its_own_length(
    tickets: Path, tiny_bert: Path, cli: Cli
) -> None:
    from transformers import AutoTokenizer

    assert cli(*run_words(tickets, tiny_bert, "train.max_length=6")).code == 0
    model = only_run() / "model"
    assert AutoTokenizer.from_pretrained(model).model_max_length == 64
    found = [cli("predict", target, "--text", TEXTS[2]).out for target in (only_run(), model)]
    assert found[0] == found[1]
    assert_same_answers(parsed(found[0]), by_transformers(model, TEXTS[2:3], max_length=6))
    whole, cut = (by_transformers(model, TEXTS[2:3], max_length=tokens) for tokens in (None, 6))
    assert whole != cut
    evaluated = json.loads(cli("evaluate", only_run(), "--json").out)
    assert evaluated["scores"] == json.loads((only_run() / "result.json").read_text())["validation"]


def test_numbers_as_labels_stay_numbers_in_order(tiny_bert: Path, cli: Cli, tmp_path: Path) -> None:
    names = {"billing": "2", "shipping": "10", "technical": "1"}
    path = write_csv(tmp_path / "n.csv", [(t, names[label]) for t, label in text_rows(120)])
    assert cli(*run_words(path, tiny_bert)).code == 0
    config = json.loads((only_run() / "model" / "config.json").read_text())
    assert config["id2label"] == {"0": "1", "1": "2", "2": "10"}
    found = parsed(cli("predict", only_run(), path).out)
    assert {answer["label"] for answer in found} <= {"1", "2", "10"}
