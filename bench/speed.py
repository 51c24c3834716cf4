"""Training speed and memory beside Trainer: the same rows, model, batch size and trained layers.

Real sentences and MiniLM; a decoder with random weights for adapters. The peer runs an epoch,
in bf16 16 steps: its speed stays the same, as it computes the frozen layers every time. Ours is a
whole run; where activations are kept, the speed is that of the epochs after, and the time to keep
them is a column of its own. Rounds are interleaved, figures medians. The first words of cases after
the command restrict it to them.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.beside import RESULTS, machine, run_trainer, run_tunewright, write_decoder, write_reviews

ROUNDS = 5
ROWS, ROWS_OF_DECODER = 2000, 500
STEPS_32 = {"per_device_train_batch_size": 32, "max_steps": 16, "test": False}
BY_LENGTH = {  # a whole epoch: the longest rows come first
    **{"per_device_train_batch_size": 32, "num_train_epochs": 1, "test": False},
    "train_sampling_strategy": "group_by_length",
}
BF16 = {"batch 32, bf16": {**STEPS_32, "bf16": True}}
DEFAULTS = {"defaults (batch 8)": {"num_train_epochs": 1, "test": False}}
BEST = {"batch 32, by length, fp32": BY_LENGTH}
LINEAR = [f"{name}_proj" for name in ("q", "k", "v", "o", "gate", "up", "down")]
LORA = {"r": 16, "lora_alpha": 32, "target_modules": LINEAR, "layers_to_transform": [9, 10, 11]}


@dataclass(frozen=True)
class Case:
    """Our settings, those of the peers, and what these have in common."""

    settings: tuple[str, ...]
    peers: dict[str, dict[str, Any]]
    same: dict[str, Any]
    decoder: bool = False


CASES = {
    "nothing frozen": Case(
        ("train.strategy=full", "train.epochs=1"), {**DEFAULTS, **BF16, **BEST}, {}
    ),
    "4 of 6 blocks frozen": Case(
        ("train.phases=[{blocks: 2, epochs: 3}]",), {**BF16, **BEST}, {"frozen_blocks": 4}
    ),
    "all blocks frozen, head only": Case(
        ("train.strategy=head", "train.epochs=5"), {**BF16, **BEST}, {"frozen_blocks": 6}
    ),
    "12-block decoder, LoRA in the top 3": Case(
        (
            *("adapt.method=lora", "adapt.layers=top-3", "adapt.rank=16", "adapt.alpha=32"),
            *("adapt.adapter_dropout=0", "train.phases=[{blocks: 3, epochs: 2}]"),
        ),
        {**DEFAULTS, **BEST},
        {"lora": LORA},
        decoder=True,
    ),
}
Measured = dict[str, dict[str, list[dict[str, float]]]]  # case, side, rounds


def main() -> None:
    """Measure, print the table, keep it in results/speed.json."""
    chosen = [name for name in CASES if name.startswith(tuple(sys.argv[1:]) or "")]
    path = RESULTS / "speed.json"
    known: Measured = json.loads(path.read_text())["measured"] if path.exists() else {}
    seen: Measured = {name: {} if name in chosen else known.get(name, {}) for name in CASES}
    with tempfile.TemporaryDirectory() as scratch:
        folder, few = Path(scratch) / "data", Path(scratch) / "few"
        labels = write_reviews(folder, ROWS)
        write_reviews(few, ROWS_OF_DECODER)
        decoder = write_decoder(Path(scratch) / "decoder")
        for _ in range(ROUNDS):
            for name in chosen:
                case = CASES[name]
                data, model = (few, decoder) if case.decoder else (folder, None)
                settings = (*case.settings, "train.batch_size=32", "train.early_stopping=0")
                run = run_tunewright(data, Path(scratch) / "runs", 0, *settings, model=model)
                seen[name].setdefault("Tunewright", []).append(ours(run))
                for peer, asked in case.peers.items():
                    answer = run_trainer(data, labels, 0, model=model, **asked, **case.same)
                    seen[name].setdefault(f"Trainer, {peer}", []).append(
                        {key: answer[key] for key in ("rows_per_s", "peak_mib")}
                    )
            keep(seen)
    show(seen)


def keep(seen: Measured) -> None:
    """Write what is measured so far."""
    facts = {"machine": machine(), "rows": ROWS, "measured": seen}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "speed.json").write_text(json.dumps(facts, indent=1) + "\n")


def ours(result: dict[str, Any]) -> dict[str, float]:
    """What the table needs of a result.json."""
    phase = result["train"]["phases"][-1]
    return {
        "rows_per_s": phase["rows_per_s"],
        "peak_mib": result["train"]["peak_memory_mib"],
        "product_share": phase["product_share"] or 0.0,
        "build_s": phase["cache_build_s"],
        "cache_mib": phase["cache_mib"],
        "left_mib": phase["left_mib"],
    }


def show(seen: Measured) -> None:
    """Print a Markdown table of medians, with ratios to Tunewright."""
    print(
        "| case | | rows/s | Tunewright is faster by | of the product rate "
        "| peak MiB | kept MiB | built in |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for case, found in ((name, sides) for name, sides in seen.items() if sides):
        middle = {
            side: {key: statistics.median(one[key] for one in rounds) for key in rounds[0]}
            for side, rounds in found.items()
        }
        mine = middle["Tunewright"]
        print(
            f"| {case} | Tunewright | {mine['rows_per_s']:,.0f} | | {mine['product_share']:.0%} "
            f"| {mine['peak_mib']:,.0f} | {mine['cache_mib']:.0f} | {mine['build_s']:.1f} s |"
        )
        for side in list(middle)[1:]:
            theirs = middle[side]
            ratio = f"{mine['rows_per_s'] / theirs['rows_per_s']:.1f} times"
            print(
                f"| | {side} | {theirs['rows_per_s']:,.0f} | {ratio} | "
                f"| {theirs['peak_mib']:,.0f} | | |"
            )


if __name__ == "__main__":
    main()
