"""The plain loop, nothing frozen: rows per second and peak memory beside Trainer.

Same 2,000 real sentences, same model, one epoch each; medians over the rounds, interleaved.
"""

from __future__ import annotations

import json
import statistics
import tempfile
from pathlib import Path
from typing import Any

from bench.beside import RESULTS, machine, run_trainer, run_tunewright, write_reviews

ROUNDS = 2
ROWS = 2000
BATCH_32 = {
    "per_device_train_batch_size": 32,
    "train_sampling_strategy": "group_by_length",
    "num_train_epochs": 1,
    "test": False,
}
PEERS: dict[str, dict[str, Any]] = {
    "Trainer, defaults": {"num_train_epochs": 1, "test": False},
    "Trainer, batch 32, by length, fp32": BATCH_32,
    "Trainer, batch 32, by length, bf16": {**BATCH_32, "bf16": True},
}


def main() -> None:
    """Measure, print the table, keep it in results/speed.json."""
    seen: dict[str, list[dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "data"
        labels = write_reviews(folder, ROWS)
        for _ in range(ROUNDS):
            ours = run_tunewright(
                folder, Path(scratch) / "runs", 0, "train.strategy=full", "train.epochs=1"
            )
            seen.setdefault("Tunewright, defaults", []).append(
                {
                    "rows_per_s": ours["train"]["phases"][0]["rows_per_s"],
                    "peak_mib": ours["train"]["peak_memory_mib"],
                }
            )
            for name, settings in PEERS.items():
                peer = run_trainer(folder, labels, 0, **settings)
                seen.setdefault(name, []).append(
                    {key: peer[key] for key in ("rows_per_s", "peak_mib")}
                )
    show(seen)
    facts = {"machine": machine(), "rows": ROWS, "rounds": ROUNDS, "measured": seen}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "speed.json").write_text(json.dumps(facts, indent=1) + "\n")


def show(seen: dict[str, list[dict[str, float]]]) -> None:
    """Print a Markdown table with the ratio to Tunewright."""
    middle = {
        name: {key: statistics.median(one[key] for one in rounds) for key in rounds[0]}
        for name, rounds in seen.items()
    }
    ours = middle["Tunewright, defaults"]["rows_per_s"]
    print("| one epoch, nothing frozen | rows/s | Tunewright is faster by | peak MiB |")
    print("|---|---|---|---|")
    for name, facts in middle.items():
        ratio = "" if name.startswith("Tune") else f"{ours / facts['rows_per_s']:.2f} times"
        print(f"| {name} | {facts['rows_per_s']:.1f} | {ratio} | {facts['peak_mib']:.0f} |")


if __name__ == "__main__":
    main()
