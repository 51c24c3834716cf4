"""The default recipe as a whole beside Trainer: seconds until the same validation score.

The score to reach is the one Trainer ends with, at the better of two learning rates on the first
seed. Seconds count from the start of each process: imports, reading, tokenising, and for us the
probe, building the prefix and every evaluation. Trainer evaluates after every epoch, and reaches its own last score
where it first had it.
"""

from __future__ import annotations

import json
import statistics
import tempfile
from pathlib import Path
from typing import Any

from bench.beside import BEST, RESULTS, machine, run_trainer, run_tunewright, write_reviews
from tunewright.durable import read_lines

ROWS, OTHERS = 2000, 800
SEEDS = (0, 1, 2)
PEER: dict[str, Any] = {
    **BEST,
    "train_sampling_strategy": "group_by_length",
    "per_device_eval_batch_size": 32,
    "eval_strategy": "epoch",
    "watch_validation": True,
    "test": False,
}
RATES = (5e-5, 1e-4)
Curve = list[list[float]]  # [seconds, score] of each evaluation


def main() -> None:
    """Measure, print the table, keep it in results/staged.json."""
    rounds = []
    rates: tuple[float, ...] = RATES
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "data"
        labels = write_reviews(folder, ROWS, OTHERS)
        for seed in SEEDS:
            curves = {
                rate: run_trainer(folder, labels, seed, learning_rate=rate, **PEER)["curve"]
                for rate in rates
            }
            best = max(curves, key=lambda rate: curves[rate][-1][1])
            rates, theirs = (best,), curves[best]
            result = run_tunewright(
                folder, Path(scratch) / "runs", seed, "evaluate.metric=accuracy"
            )
            rounds.append({"tunewright": curve_of(result), "trainer": theirs})
            print(seed, compare(rounds[-1]))
    facts = {"machine": machine(), "rows": ROWS, "rounds": rounds}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "staged.json").write_text(json.dumps(facts, indent=1) + "\n")
    show(rounds)


def curve_of(result: dict[str, Any]) -> Curve:
    """Every evaluation of one of our runs."""
    events = read_lines(Path(result["run"]) / "events.jsonl")
    return [
        [event["time"] - result["began"], event["scores"]["accuracy"]]
        for event in events
        if event["event"] == "evaluated"
    ]


def compare(found: dict[str, Curve]) -> dict[str, float | None]:
    """The score to reach, and the seconds that each side needs; None where it is not reached."""
    target = found["trainer"][-1][1]
    return {
        "target": target,
        **{
            side: next((seconds for seconds, score in curve if score >= target), None)
            for side, curve in found.items()
        },
    }


def show(rounds: list[dict[str, Curve]]) -> None:
    """Print a Markdown table: each seed, then the median ratio."""
    print("| seed | score to reach | Tunewright, best | Tunewright | Trainer | ratio |")
    print("|---|---|---|---|---|---|")
    ratios = []
    for seed, found in zip(SEEDS, rounds, strict=False):
        facts = compare(found)
        ours, theirs = facts["tunewright"], facts["trainer"]
        best = max(score for _, score in found["tunewright"])
        ratios.append(0.0 if ours is None or theirs is None else theirs / ours)
        said = "not reached" if ours is None else f"{ours:.0f} s"
        print(
            f"| {seed} | {facts['target']:.3f} | {best:.3f} | {said} | {theirs:.0f} s "
            f"| {ratios[-1]:.1f} |"
        )
    print(f"median ratio: {statistics.median(ratios):.1f}")


if __name__ == "__main__":
    main()
