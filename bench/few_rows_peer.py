"""What a careful user of few rows would try: SetFit, or a logistic regression on frozen vectors.

One process, one JSON line on stdout.

python -m bench.few_rows_peer setfit|probe DATA_FOLDER MODEL_FOLDER SETTINGS_JSON
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

Rows = tuple[list[str], list[int]]
BEGUN, TIMED = 5, 25  # steps


def main() -> None:
    """Learn from train.csv, answer for test.csv."""
    side, data, model, settings = *sys.argv[1:4], json.loads(sys.argv[4])
    torch.set_num_threads(settings.get("threads", 2))
    labels = settings["labels"]
    train, test = (read(Path(data) / f"{part}.csv", labels) for part in ("train", "test"))
    if side == "setfit":
        predict = setfit(train, model, settings["seed"], settings["limit_s"])
    else:
        predict = probe(train, model, settings["seed"])
    wall_s = time.perf_counter() - STARTED
    print(json.dumps({"wall_s": wall_s, "answers": np.asarray(predict(test[0])).tolist()}))


def read(path: Path, labels: list[str]) -> Rows:
    """Texts, and numbers of their labels."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [row["text"] for row in rows], [labels.index(row["label"]) for row in rows]


def setfit(train: Rows, model: str, seed: int, limit_s: float):  # type: ignore[no-untyped-def]
    """SetFit with its defaults; it gives up early where its first steps say that it would take longer."""
    from datasets import Dataset
    from setfit import SetFitModel, Trainer, TrainingArguments
    from transformers import TrainerCallback

    class GiveUp(TrainerCallback):
        def on_step_end(self, args, state, control, **_):  # type: ignore[no-untyped-def]
            if state.global_step == BEGUN:
                self.began = time.perf_counter()
            if state.global_step == BEGUN + TIMED:
                step_s = (time.perf_counter() - self.began) / TIMED
                if step_s * state.max_steps > limit_s:
                    minutes = step_s * state.max_steps / 60
                    sys.exit(
                        f"it would take {minutes:.0f} minutes: {state.max_steps:,} steps "
                        f"of {step_s:.2f} s"
                    )

    learner = SetFitModel.from_pretrained(model)
    with tempfile.TemporaryDirectory() as out:
        arguments = TrainingArguments(
            output_dir=out, seed=seed, report_to="none", save_strategy="no"
        )
        rows = Dataset.from_dict({"text": train[0], "label": train[1]})
        Trainer(learner, args=arguments, train_dataset=rows, callbacks=[GiveUp()]).train()
    return learner.predict


def probe(train: Rows, model: str, seed: int):  # type: ignore[no-untyped-def]
    """Scikit-learn's logistic regression on mean vectors of length 1, as SetFit's own head is."""
    from sklearn.linear_model import LogisticRegression
    from transformers import AutoModel, AutoTokenizer

    tokenizer, encoder = AutoTokenizer.from_pretrained(model), AutoModel.from_pretrained(model)
    encoder.eval()

    def vectors(texts: list[str]) -> np.ndarray:
        found = []
        with torch.no_grad():
            for first in range(0, len(texts), 32):
                some = texts[first : first + 32]
                batch = tokenizer(
                    some, padding=True, truncation=True, max_length=256, return_tensors="pt"
                )
                states = encoder(**batch).last_hidden_state
                mask = batch["attention_mask"][..., None]
                mean = (states * mask).sum(1) / mask.sum(1)
                found.append(torch.nn.functional.normalize(mean, dim=1).numpy())
        return np.concatenate(found)

    head = LogisticRegression(max_iter=500, random_state=seed).fit(vectors(train[0]), train[1])
    return lambda texts: head.predict(vectors(texts))


if __name__ == "__main__":
    main()
