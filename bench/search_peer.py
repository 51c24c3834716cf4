"""Trainer's hyperparameter_search with Optuna. One process, one JSON line on stdout.

python -m bench.search_peer DATA_FOLDER MODEL_FOLDER SETTINGS_JSON
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

STARTED = time.perf_counter()

import numpy as np  # noqa: E402
import torch  # noqa: E402
from transformers import (  # noqa: E402
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
    TrainingArguments,
)

from bench.trainer_peer import accuracy, read  # noqa: E402


def main() -> None:
    """Search on train.csv and validation.csv, train the best once more, answer for test.csv."""
    data, model_folder, asked = Path(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3])
    torch.set_num_threads(asked["threads"])
    labels: list[str] = asked["labels"]
    tokenizer = AutoTokenizer.from_pretrained(model_folder)
    tokenizer.model_max_length = 128
    parts = {name: read(data / f"{name}.csv", tokenizer, labels) for name in PARTS}

    def new_model(trial: Any = None) -> Any:
        begun.append(time.perf_counter() - STARTED)
        return AutoModelForSequenceClassification.from_pretrained(
            model_folder, num_labels=len(labels), dtype=torch.float32
        )

    looks: list[list[float]] = []  # trial, seconds, and score of each evaluation
    begun: list[float] = []

    def objective(metrics: dict[str, float]) -> float:
        looks.append([len(begun), time.perf_counter() - STARTED, metrics["eval_accuracy"]])
        return metrics["eval_accuracy"]

    with tempfile.TemporaryDirectory() as out:
        arguments = TrainingArguments(
            out,
            report_to="none",
            eval_strategy="epoch",
            save_strategy="no",
            disable_tqdm=True,
            use_cpu=True,
            seed=asked["seed"],
        )

        def trainer() -> Trainer:
            return Trainer(
                None,
                arguments,
                train_dataset=parts["train"],
                eval_dataset=parts["validation"],
                compute_metrics=accuracy,
                data_collator=DataCollatorWithPadding(tokenizer),
                processing_class=tokenizer,
                model_init=new_model,
            )

        searching = trainer()
        best: Any = searching.hyperparameter_search(
            space,
            objective,
            n_trials=asked["trials"],
            direction="maximize",
            backend="optuna",
        )
        wall_s = time.perf_counter() - STARTED
        final = trainer()
        for name, value in best.hyperparameters.items():
            setattr(final.args, name, value)
        final.train()
        scores = final.predict(parts["test"]).predictions
    truth = np.array([row["labels"] for row in parts["test"]])
    answer = {
        "wall_s": wall_s,
        "looks": looks,
        "validation": best.objective,
        "settings": best.hyperparameters,
        "test": float(np.mean(scores.argmax(1) == truth)),
    }
    print(json.dumps(answer))


PARTS = ("train", "validation", "test")


def space(trial: Any) -> dict[str, Any]:
    """The same as ours: see `bench.search`."""
    return {
        "learning_rate": trial.suggest_float("learning_rate", 1e-5, 1e-3, log=True),
        "per_device_train_batch_size": trial.suggest_categorical(
            "per_device_train_batch_size", [8, 16, 32]
        ),
        "num_train_epochs": trial.suggest_categorical("num_train_epochs", [2, 3, 5]),
        "weight_decay": trial.suggest_float("weight_decay", 1e-3, 0.1, log=True),
    }


if __name__ == "__main__":
    main()
