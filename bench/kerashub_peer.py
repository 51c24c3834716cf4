"""KerasHub's own `TextClassifier.fit` with its defaults. One process, one JSON line on stdout.

python -m bench.kerashub_peer DATA_FOLDER MODEL_FOLDER SETTINGS_JSON
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

STARTED = time.perf_counter()
os.environ |= {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}

import keras_hub  # noqa: E402
import numpy as np  # noqa: E402

import keras  # noqa: E402
from bench.beside import read_rows  # noqa: E402
from tunewright.history.memory import peak_memory_mib  # noqa: E402


class Curve(keras.callbacks.Callback):
    """Accuracy on validation after each epoch, and when; what it takes to ask does not count."""

    def __init__(self, texts: np.ndarray, numbers: np.ndarray) -> None:
        super().__init__()
        self.texts, self.numbers = texts, numbers
        self.points: list[list[float]] = []
        self.asked_s = 0.0

    def on_epoch_end(self, epoch: int, logs: object = None) -> None:
        now = time.perf_counter()
        answers = self.model.predict(self.texts, verbose=0).argmax(1)
        score = float((answers == self.numbers).mean())
        self.points.append([now - STARTED - self.asked_s, score])
        self.asked_s += time.perf_counter() - now


def main() -> None:
    """Train on train.csv, watch validation.csv, answer for test.csv."""
    data, folder, settings = Path(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3])
    labels: list[str] = settings["labels"]
    keras.utils.set_random_seed(settings["seed"])
    parts = {name: read_rows(data / f"{name}.csv") for name in ("train", "validation", "test")}
    texts = {name: np.array([text for text, _ in rows]) for name, rows in parts.items()}
    numbers = {
        name: np.array([labels.index(each) for _, each in rows]) for name, rows in parts.items()
    }
    preprocessor = keras_hub.models.TextClassifierPreprocessor.from_preset(
        folder, sequence_length=settings["sequence_length"]
    )
    classifier = keras_hub.models.TextClassifier.from_preset(
        folder, num_classes=len(labels), preprocessor=preprocessor
    )
    curve = Curve(texts["validation"], numbers["validation"])
    began = time.perf_counter()
    classifier.fit(
        texts["train"],
        numbers["train"],
        epochs=settings["epochs"],
        callbacks=[curve],
        verbose=0,
    )
    fitted_s = time.perf_counter() - began
    answers = classifier.predict(texts["test"], verbose=0).argmax(1)
    print(
        json.dumps(
            {
                "curve": curve.points,
                "fitted_s": fitted_s,
                "test_accuracy": float((answers == numbers["test"]).mean()),
                "answers": answers.tolist(),
                "peak_mib": peak_memory_mib(),
            }
        )
    )


if __name__ == "__main__":
    main()
