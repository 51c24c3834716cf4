"""Seconds in which the linear probe is solved for 10,000 rows, choice of the penalty included.

Features as wide as MiniLM's: one noisy cloud for each label.
"""

from __future__ import annotations

import json
import statistics
import time

import numpy as np

from bench.beside import RESULTS, machine
from tunewright.backends import probe

ROWS, WIDTH, LABELS, ROUNDS = 10_000, 384, (2, 5, 77), 5
APART = 4.0  # of a centre from the others, in standard deviations of the noise


def main() -> None:
    """Measure, print the table, keep it in results/probe.json."""
    seen = {labels: [solve_s(labels, seed) for seed in range(ROUNDS)] for labels in LABELS}
    facts = {"machine": machine(), "rows": ROWS, "seconds": seen}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "probe.json").write_text(json.dumps(facts, indent=1) + "\n")
    print("| labels | seconds, median of five | slowest |")
    print("|---|---|---|")
    for labels, seconds in seen.items():
        print(f"| {labels} | {statistics.median(seconds):.2f} | {max(seconds):.2f} |")


def solve_s(labels: int, seed: int) -> float:
    """Seconds of one solution."""
    random = np.random.default_rng(seed)
    centres = random.normal(size=(labels, WIDTH)) * APART / np.sqrt(WIDTH)
    numbers = random.integers(0, labels, ROWS)
    features = (centres[numbers] + random.normal(size=(ROWS, WIDTH))).astype(np.float32)
    started = time.perf_counter()
    probe.solve(features, numbers, labels, balanced=False, seed=seed)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
