"""Is a classifier's confidence truer after its temperature was fitted? Five real data sets.

Needs the data sets in ../shared/data. Each is fine-tuned with the default recipe, one seed, one
thread. The temperature was fitted on validation rows; the scores of the test rows are taken as the
model gives them, and as it would without: to the power of the temperature, summing to one again.

The calibration error is that of Guo et al. 2017 over 15 bins that hold equally many rows, their
edges at quantiles of the confidence (the adaptive choice: bins of equal width are nearly empty where
a model is seldom unsure, and then measure noise). That over 15 bins of equal width, which a run
reports, stands beside it. Intervals: 2,000 paired resamples of the test rows. Names of sets restrict
it to them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from bench.beside import read_rows, run_tunewright, write_parts
from bench.choosing import OF_EACH_INTENT, SETS
from bench.quality import cut
from bench.set_by_set import set_by_set

SIZES = 500, 150, 2000  # rows to learn from, to validate and to test
NUM_BINS, RESAMPLES = 15, 2_000


def main() -> None:
    """Measure what was asked for, keep it in results/calibration.json, print the table."""
    if known := set_by_set("calibration.json", SETS, of_set):
        show(known)


def of_set(name: str, scratch: Path) -> dict[str, Any]:
    """Fine-tune on a set, and measure how true the confidence is on its test rows."""
    from tunewright.backends import open_predictor
    from tunewright.durable import read_lines

    folder = scratch / name
    labels = write_parts(folder, cut(name, 0, SIZES, OF_EACH_INTENT))
    settings = f"evaluate.metric={SETS[name]}", "train.threads=1"
    run = Path(run_tunewright(folder, scratch / "runs", 0, *settings)["run"])
    events = read_lines(run / "events.jsonl")
    temperature = next(e["temperature"] for e in events if e["event"] == "calibrated")
    texts, named = zip(*read_rows(folder / "test.csv"), strict=True)
    after = open_predictor(run / "model").answers(texts)
    found = measured(after, np.array([labels.index(each) for each in named]), temperature)
    print(name, found, flush=True)
    return found


def measured(after: np.ndarray, truth: np.ndarray, temperature: float) -> dict[str, Any]:
    """Calibration error and log loss before and after, and whether a label changed.

    Args:
        after: float (N, C), shares as the model gives them. truth: int (N,).
    """
    before = without_temperature(after, temperature)
    sides = {"before": before, "after": after}
    sure = {side: shares.max(axis=1) for side, shares in sides.items()}
    right = {side: shares.argmax(axis=1) == truth for side, shares in sides.items()}
    drawn = np.random.default_rng(0).integers(0, len(truth), (RESAMPLES, len(truth)))
    found: dict[str, Any] = {
        "rows": len(truth),
        "temperature": temperature,
        "accuracy": float(right["after"].mean()),
        "labels_changed": int((before.argmax(axis=1) != after.argmax(axis=1)).sum()),
    }
    for kind, error in (("equal_mass", equal_mass), ("equal_width", equal_width)):
        of = {side: error(sure[side], right[side]) for side in sides}
        gains = [
            error(sure["before"][rows], right["before"][rows])
            - error(sure["after"][rows], right["after"][rows])
            for rows in drawn
        ]
        found[kind] = of | {"lower_by_interval": np.quantile(gains, [0.025, 0.975]).tolist()}
    found["log_loss"] = {
        side: float(-np.log(shares[np.arange(len(truth)), truth]).mean())
        for side, shares in sides.items()
    }
    return found


def without_temperature(shares: np.ndarray, temperature: float) -> np.ndarray:
    """The shares (N, C) as they were before scores were divided by a temperature."""
    from scipy.special import softmax

    scores: np.ndarray = softmax(temperature * np.log(np.maximum(shares, 1e-300)), axis=1)
    return scores


def equal_mass(sure: np.ndarray, right: np.ndarray) -> float:
    """Calibration error over 15 bins of equally many rows, by confidence: both (N,)."""
    order = np.argsort(sure, kind="stable")
    surplus = (sure - right)[order]
    bins = np.array_split(surplus, NUM_BINS)
    return float(sum(abs(each.sum()) for each in bins) / len(sure))


def equal_width(sure: np.ndarray, right: np.ndarray) -> float:
    """Calibration error over 15 bins of equal width, as a run reports it: both (N,)."""
    from tunewright.evaluation.one_label import confidence_bin

    return float(np.abs(np.bincount(confidence_bin(sure), sure - right)).sum() / len(sure))


def show(known: dict[str, dict[str, Any]]) -> None:
    """Print a Markdown table, and in how many sets the error is lower."""
    print("| data | temperature | before | after | lower by, 95 % | equal width | labels changed |")
    print("|---|---|---|---|---|---|---|")
    for name, found in known.items():
        mass, width = found["equal_mass"], found["equal_width"]
        low, high = mass["lower_by_interval"]
        print(
            f"| {name} | {found['temperature']:.2f} | {mass['before']:.3f} | {mass['after']:.3f} "
            f"| [{low:.3f}, {high:.3f}] | {width['before']:.3f} → {width['after']:.3f} "
            f"| {found['labels_changed']} of {found['rows']:,} |"
        )
    lower = sum(
        each["equal_mass"]["after"] < each["equal_mass"]["before"] for each in known.values()
    )
    print(f"\nlower in {lower} of {len(known)} sets")


if __name__ == "__main__":
    main()
