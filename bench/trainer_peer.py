"""Hugging Face Trainer as a careful user writes it. One process, one JSON line on stdout.

python -m bench.trainer_peer DATA_FOLDER MODEL_FOLDER SETTINGS_JSON
"""

from __future__ import annotations

import csv
import json
import sys
import tempfile
import time
from pathlib import Path

STARTED = time.perf_counter()

import numpy as np  # noqa: E402
import torch  # noqa: E402
from transformers import (  # noqa: E402
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    EvalPrediction,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

from tunewright.history.memory import peak_memory_mib  # noqa: E402


def main() -> None:
    """Train on train.csv, answer for test.csv."""
    data, model_folder, settings = Path(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3])
    torch.set_num_threads(settings.pop("threads", 2))
    labels: list[str] = settings.pop("labels")
    tokenizer = AutoTokenizer.from_pretrained(model_folder)
    tokenizer.model_max_length = 128
    train = read(data / "train.csv", tokenizer, labels)
    test = read(data / "test.csv", tokenizer, labels) if settings.pop("test", True) else None
    watch = settings.pop("watch_validation", False)
    validation = read(data / "validation.csv", tokenizer, labels) if watch else None
    curve = Curve()
    model = AutoModelForSequenceClassification.from_pretrained(
        model_folder, num_labels=len(labels), dtype=torch.float32
    )
    freeze(model, settings.pop("frozen_blocks", 0))
    if lora := settings.pop("lora", None):
        model.config.pad_token_id = tokenizer.pad_token_id
        model = with_lora(model, lora)
    with tempfile.TemporaryDirectory() as out:
        arguments = TrainingArguments(
            out, report_to="none", save_strategy="no", disable_tqdm=True, use_cpu=True, **settings
        )
        trainer = Trainer(
            model,
            arguments,
            train_dataset=train,
            eval_dataset=validation,
            compute_metrics=accuracy,
            callbacks=[curve],
            data_collator=DataCollatorWithPadding(tokenizer),
            processing_class=tokenizer,
        )
        trained = trainer.train().metrics
    wall_s = time.perf_counter() - STARTED
    answer = {
        "rows_per_s": trained["train_samples_per_second"],
        "train_s": trained["train_runtime"],
        "wall_s": wall_s,
        "peak_mib": peak_memory_mib(),
    }
    if watch:
        answer["curve"] = curve.points
    if test is not None:
        scores = trainer.predict(test).predictions.astype(np.float64)
        exp = np.exp(scores - scores.max(1, keepdims=True))
        answer["probabilities"] = (exp / exp.sum(1, keepdims=True)).round(6).tolist()
    print(json.dumps(answer))


class Curve(TrainerCallback):
    """[seconds since the process began, accuracy on validation] of every evaluation."""

    def __init__(self) -> None:
        self.points: list[list[float]] = []

    def on_evaluate(self, *_: object, metrics: dict[str, float], **__: object) -> None:
        """Called by Trainer."""
        self.points.append([time.perf_counter() - STARTED, metrics["eval_accuracy"]])


def accuracy(answers: EvalPrediction) -> dict[str, float]:
    """Share of the rows that are right."""
    return {"accuracy": float(np.mean(answers.predictions.argmax(-1) == answers.label_ids))}


def freeze(model: torch.nn.Module, blocks: int) -> None:
    """No gradient for the embeddings and the lowest blocks of a BERT."""
    if not blocks:
        return
    for part in (model.bert.embeddings, *model.bert.encoder.layer[:blocks]):
        part.requires_grad_(False)


def with_lora(model: torch.nn.Module, lora: dict[str, object]) -> torch.nn.Module:
    """PEFT's adapters; the settings are those of its `LoraConfig`."""
    from peft import LoraConfig, get_peft_model

    return get_peft_model(model, LoraConfig(task_type="SEQ_CLS", **lora))


def read(path: Path, tokenizer: AutoTokenizer, labels: list[str]) -> list[dict[str, object]]:
    """Tokenised rows of a file with the columns text and label."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    coded = tokenizer([row["text"] for row in rows], truncation=True)
    return [
        {
            "input_ids": coded["input_ids"][i],
            "attention_mask": coded["attention_mask"][i],
            "labels": labels.index(row["label"]),
        }
        for i, row in enumerate(rows)
    ]


if __name__ == "__main__":
    main()
