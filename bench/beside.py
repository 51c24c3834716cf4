"""Runs Tunewright and its peer as whole processes on the same folder of rows."""

from __future__ import annotations

import csv
import json
import os
import random
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "bench" / "results"
BEST: dict[str, Any] = {
    "per_device_train_batch_size": 32,
    "num_train_epochs": 3,
}
Row = tuple[str, str]


def minilm() -> str:
    """The folder of the embedded model, fetched if need be."""
    from tunewright.pretrained.catalog import resolve_model

    return str(resolve_model("minilm").path)


def write_parts(folder: Path, parts: dict[str, list[Row]]) -> list[str]:
    """train.csv, validation.csv and test.csv; the labels in order."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in parts.items():
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("text", "label"), *rows])
    return sorted({label for _, label in parts["train"]})


def write_reviews(folder: Path, rows: int, others: int = 200) -> list[str]:
    """So many of the example reviews to train on, `others` each to validate and to test; labels."""
    from tunewright.pretrained.example_data import fetch_example

    all_rows = shuffled(read_rows(fetch_example("reviews")), 0)
    parts = {
        "train": all_rows[:rows],
        "validation": all_rows[rows : rows + others],
        "test": all_rows[rows + others : rows + 2 * others],
    }
    return write_parts(folder, parts)


def write_decoder(folder: Path) -> str:
    """A Llama of 12 random blocks, as wide as GPT-2, with MiniLM's tokenizer; the folder."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaModel

    tokenizer = AutoTokenizer.from_pretrained(minilm())
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=768,
        intermediate_size=2048,
        num_hidden_layers=12,
        num_attention_heads=12,
        max_position_embeddings=512,
        pad_token_id=tokenizer.pad_token_id,
    )
    LlamaModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def read_rows(path: Path, text: str = "text", label: str = "label") -> list[Row]:
    """(text, label) of each row of a CSV."""
    with path.open(encoding="utf-8", newline="") as file:
        return [(row[text], row[label]) for row in csv.DictReader(file)]


def shuffled(rows: list[Row], seed: int) -> list[Row]:
    """A copy in another order, each text once."""
    rows = list({text.strip().lower(): (text, label) for text, label in rows}.values())
    random.Random(seed).shuffle(rows)
    return rows


def run_trainer(
    folder: Path, labels: list[str], seed: int, *, model: str | None = None, **settings: Any
) -> dict[str, Any]:
    """The peer's answer: rows_per_s, wall_s, peak_mib, and probabilities of the test rows.

    Args:
        model: a folder, MiniLM's when None.
    """
    asked = json.dumps({"labels": labels, "seed": seed, **settings})
    return json_of(
        [sys.executable, "-m", "bench.trainer_peer", str(folder), model or minilm(), asked]
    )


def run_tunewright(
    folder: Path, runs: Path, seed: int, *settings: str, model: str | None = None
) -> dict[str, Any]:
    """Our result.json, with `wall_s` of the whole process, the time it `began`, and `run`.

    Args:
        model: a folder, MiniLM's when None.
    """
    settings += (f"model={model}",) if model else ()
    settings += ("data.allow=[leak, near-leak, contradictory-label]",)  # public sets, as they are
    sets = [word for setting in settings for word in ("--set", setting)]
    began = time.time()
    started = time.perf_counter()
    command = [sys.executable, "-m", "tunewright.cli.main", "run", str(folder), "--json"]
    result = json_of([*command, "--seed", str(seed), *sets], TUNEWRIGHT_RUNS=str(runs))
    wall_s = time.perf_counter() - started
    return {
        **result,
        "wall_s": wall_s,
        "began": began,
        "run": str(Path(result["model"]["path"]).parent),
    }


def test_tunewright(run: str, runs: Path) -> dict[str, Any]:
    """result.json after the seal was opened."""
    command = [sys.executable, "-m", "tunewright.cli.main", "test", run, "--json"]
    return json_of(command, TUNEWRIGHT_RUNS=str(runs))


def json_of(command: list[str], **environment: str) -> dict[str, Any]:
    """The last line that a process prints, as JSON."""
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "HF_HUB_OFFLINE": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[:6])} failed:\n{done.stderr[-3000:]}")
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def machine() -> dict[str, Any]:
    """What the numbers were measured on."""
    names = ("tunewright", "torch", "transformers", "accelerate")
    return {
        "date": time.strftime("%Y-%m-%d"),
        "cores": len(os.sched_getaffinity(0)),
        "versions": {name: version(name) for name in names},
    }
