"""Test scores with and without the frozen prefix, on real data and five seeds.

Kept activations are the same numbers, so the scores should be the same too. Needs the data sets in
../shared/data; says so and stops when they are not there.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from bench.beside import RESULTS, machine, run_tunewright, test_tunewright, write_parts
from bench.quality import DATA, ROOT, SETS, cut

SEEDS = range(5)
NAMES = ("banking77", "sst5")


def main() -> None:
    """Measure, print the table, keep it in results/prefix_scores.json."""
    if not DATA.is_dir():
        print(f"skipped: the data sets are not at {DATA.relative_to(ROOT.parent)}")
        return
    table: dict[str, dict[str, list[float]]] = {}
    for name in NAMES:
        found: dict[str, list[float]] = {"kept": [], "computed again": []}
        for seed in SEEDS:
            found["kept"].append(score(name, seed))
            found["computed again"].append(score(name, seed, "train.cache=off"))
            print(name, seed, *(round(scores[-1], 4) for scores in found.values()))
        table[name] = found
    facts: dict[str, Any] = {"machine": machine(), "scores": table}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "prefix_scores.json").write_text(json.dumps(facts, indent=1) + "\n")
    print("| data | with the prefix | without | largest difference of a seed | of two seeds |")
    print("|---|---|---|---|---|")
    for name, found in table.items():
        kept, again = (np.array(scores) for scores in found.values())
        print(
            f"| {name} | {kept.mean():.4f} | {again.mean():.4f} "
            f"| {abs(kept - again).max():.4f} | {np.ptp(kept):.4f} |"
        )


def score(name: str, seed: int, *settings: str) -> float:
    """The deciding metric on the test rows of one run."""
    metric = SETS[name][0]
    with tempfile.TemporaryDirectory() as scratch:
        folder, runs = Path(scratch) / "data", Path(scratch) / "runs"
        write_parts(folder, cut(name, seed))
        asked = (f"evaluate.metric={metric}", "train.threads=1", *settings)
        done = run_tunewright(folder, runs, seed, *asked)
        return float(test_tunewright(done["run"], runs)["test"][metric]["value"])


if __name__ == "__main__":
    main()
