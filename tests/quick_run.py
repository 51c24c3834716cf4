"""Runs that take seconds, and what to ask of what they leave."""

from __future__ import annotations

import json
import os
from hashlib import sha256
from pathlib import Path
from typing import Any

PLAIN = ["train.threads=1", "train.precision=fp32", "train.epochs=2", "evaluate.resamples=100"]
PLAIN += ["evaluate.forgetting=off"]  # seconds of each run, that few tests look at
QUICK = [*PLAIN, "train.strategy=staged"]  # of so few rows the head alone would be solved
DECIDING = ("train.phases=", "train.strategy=", "adapt.method=head", "task=text-generation")


def run_words(data: Path, model: Path, *settings: str) -> list[str]:
    decided = any(setting.startswith(DECIDING) for setting in settings)
    quick = PLAIN if decided or Path(data).suffix == ".jsonl" else QUICK
    return ["run", str(data), "--model", str(model), "--set", *quick, *settings]


def only_run() -> Path:
    runs = [p for p in Path(os.environ["TUNEWRIGHT_RUNS"]).iterdir() if (p / "run.json").exists()]
    assert len(runs) == 1
    return runs[0]


def weights_hash(run: Path) -> str:
    return sha256((run / "model" / "model.safetensors").read_bytes()).hexdigest()


def parsed(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]
