"""Frozen layers: rows per second, memory and whole wall time beside Trainer with the same layers.

The same 2,000 real sentences and model. Trainer computes the frozen layers in every epoch, so one
epoch shows its speed; ours is that of the epochs after the activations are kept, and the time to
keep them is a column of its own.
"""

from __future__ import annotations

import json
import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.beside import RESULTS, machine, run_trainer, run_tunewright, write_decoder, write_reviews

ROUNDS = 3
ROWS = 2000
BLOCKS = 6  # of MiniLM
BATCH_32 = {"per_device_train_batch_size": 32, "num_train_epochs": 1, "test": False}
BY_LENGTH = {**BATCH_32, "train_sampling_strategy": "group_by_length"}
PEERS: dict[str, dict[str, Any]] = {
    "defaults": {"num_train_epochs": 1, "test": False},
    "batch 32, bf16": {**BATCH_32, "bf16": True},
    "batch 32, by length, fp32": BY_LENGTH,
}
LINEAR = [f"{name}_proj" for name in ("q", "k", "v", "o", "gate", "up", "down")]
LORA = {"r": 16, "lora_alpha": 32, "target_modules": LINEAR}
TOP_3 = {**BATCH_32, "lora": {**LORA, "layers_to_transform": [9, 10, 11]}}


@dataclass(frozen=True)
class Case:
    """Our settings and those of the peers; with a random decoder in the place of MiniLM or not."""

    settings: tuple[str, ...]
    peers: dict[str, dict[str, Any]]
    decoder: bool = False


CASES = {
    "all blocks frozen, head only": Case(
        ("train.strategy=head", "train.epochs=5"),
        {f"Trainer, {n}": {"frozen_blocks": BLOCKS, **peer} for n, peer in PEERS.items()},
    ),
    "4 of 6 blocks frozen": Case(
        ("train.phases=[{blocks: 2, epochs: 3}]",),
        {f"Trainer, {n}": {"frozen_blocks": 4, **peer} for n, peer in PEERS.items()},
    ),
    "12-block decoder, LoRA in the top 3": Case(
        (
            *("adapt.method=lora", "adapt.layers=top-3", "adapt.rank=16", "adapt.alpha=32"),
            *("adapt.adapter_dropout=0", "train.phases=[{blocks: 3, epochs: 2}]"),
        ),
        {"PEFT and Trainer, batch 32": TOP_3},
        decoder=True,
    ),
}


def main() -> None:
    """Measure, print the table, keep it in results/frozen.json."""
    seen: dict[str, dict[str, list[dict[str, float]]]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "data"
        labels = write_reviews(folder, ROWS)
        decoder = write_decoder(Path(scratch) / "decoder")
        for _ in range(ROUNDS):
            for name, case in CASES.items():
                found = seen.setdefault(name, {})
                model = decoder if case.decoder else None
                settings = (*case.settings, "train.batch_size=32", "train.early_stopping=0")
                run = run_tunewright(folder, Path(scratch) / "runs", 0, *settings, model=model)
                found.setdefault("Tunewright", []).append(ours(run))
                for peer, asked in case.peers.items():
                    answer = run_trainer(folder, labels, 0, model=model, **asked)
                    found.setdefault(peer, []).append(
                        {key: answer[key] for key in ("rows_per_s", "peak_mib")}
                    )
    facts = {"machine": machine(), "rows": ROWS, "rounds": ROUNDS, "measured": seen}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "frozen.json").write_text(json.dumps(facts, indent=1) + "\n")
    show(seen)


def ours(result: dict[str, Any]) -> dict[str, float]:
    """What the table needs of a result.json."""
    phase = result["train"]["phases"][-1]
    return {
        "rows_per_s": phase["rows_per_s"],
        "peak_mib": result["train"]["peak_memory_mib"],
        "build_s": phase["cache_build_s"],
        "cache_mib": phase["cache_mib"],
        "left_mib": phase["left_mib"],
    }


def show(seen: dict[str, dict[str, list[dict[str, float]]]]) -> None:
    """Print a Markdown table of medians, with ratios to Tunewright."""
    print("| case | | rows/s | Tunewright is faster by | peak MiB | kept MiB |")
    print("|---|---|---|---|---|---|")
    for case, found in seen.items():
        middle = {
            name: {key: statistics.median(one[key] for one in rounds) for key in rounds[0]}
            for name, rounds in found.items()
        }
        mine = middle["Tunewright"]["rows_per_s"]
        for name, facts in middle.items():
            ratio = "" if name == "Tunewright" else f"{mine / facts['rows_per_s']:.1f} times"
            kept = f"{facts['cache_mib']:.0f}" if "cache_mib" in facts else ""
            print(
                f"| {case} | {name} | {facts['rows_per_s']:,.0f} | {ratio} "
                f"| {facts['peak_mib']:,.0f} | {kept} |"
            )


if __name__ == "__main__":
    main()
