"""One recipe on PyTorch and on TensorFlow, beside KerasHub's own `fit`, on real data sets.

Needs the data sets in ../shared/data and the extra tensorflow. Rows as in `bench.quality`. Scores of
both backends are those on the test rows, five seeds; KerasHub's `TextClassifier.fit` runs with its
defaults, but for a sequence length of 128 in the place of 512 and three epochs in the place of one,
once. Words after the command restrict it to some sets.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from bench.beside import (
    RESULTS,
    json_of,
    machine,
    minilm,
    run_tunewright,
    test_tunewright,
    write_parts,
)
from bench.quality import DATA, ROOT, cut
from bench.staged import curve_of

SETS = ("banking77", "sst5", "tweeteval_emotion")
SEEDS = (0, 1, 2, 3, 4)
BACKENDS = ("torch", "keras")


def main() -> None:
    """Measure, print the table, keep it in results/backends.json."""
    if not DATA.is_dir():
        print(f"skipped: the data sets are not at {DATA.relative_to(ROOT.parent)}")
        return
    path = RESULTS / "backends.json"
    known = json.loads(path.read_text())["sets"] if path.exists() else {}
    for name in [name for name in SETS if name in sys.argv[1:]] or SETS:
        known[name] = measure(name)
        path.write_text(json.dumps({"machine": machine(), "sets": known}, indent=1) + "\n")
    show(known)


def measure(name: str) -> dict[str, Any]:
    """Accuracy and seconds of each backend and seed, and of KerasHub."""
    found: dict[str, Any] = {backend: [] for backend in BACKENDS}
    with tempfile.TemporaryDirectory() as scratch:
        for seed in SEEDS:
            folder, runs = Path(scratch) / str(seed), Path(scratch) / "runs"
            labels = write_parts(folder, cut(name, seed))
            for backend in BACKENDS:
                ours = run_tunewright(
                    folder, runs, seed, f"backend={backend}", "evaluate.metric=accuracy"
                )
                score = test_tunewright(ours["run"], runs)["test"]["accuracy"]["value"]
                found[backend].append(
                    {"accuracy": score, "wall_s": ours["wall_s"], "curve": curve_of(ours)}
                )
                print(f"{name} seed {seed} {backend}: {score:.4f} in {ours['wall_s']:.0f} s")
            if seed == SEEDS[0]:
                found["kerashub"] = run_kerashub(folder, labels, seed)
    return found


def run_kerashub(folder: Path, labels: list[str], seed: int) -> dict[str, Any]:
    """The peer's answer."""
    asked = {"labels": labels, "seed": seed, "epochs": 3, "sequence_length": 128}
    command = [sys.executable, "-m", "bench.kerashub_peer", str(folder), minilm()]
    found = json_of([*command, json.dumps(asked)])
    del found["answers"]
    return found


def show(known: dict[str, Any]) -> None:
    """Print a Markdown table."""
    print(
        "| data | torch, mean and range | keras | KerasHub `fit` | keras is faster to its score |"
    )
    print("|---|---|---|---|---|")
    for name, found in known.items():
        both = []
        for backend in BACKENDS:
            scores = [run["accuracy"] for run in found[backend]]
            both.append(f"{np.mean(scores):.3f} [{min(scores):.3f}, {max(scores):.3f}]")
        peer = found["kerashub"]
        took, target = max(peer["curve"], key=lambda point: point[1])
        ours = next((s for s, score in found["keras"][0]["curve"] if score >= target), None)
        ratio = (
            "not reached"
            if ours is None
            else f"{took / ours:.1f} times ({ours:.0f} s to {took:.0f} s)"
        )
        print(f"| {name} | {both[0]} | {both[1]} | {peer['test_accuracy']:.3f} | {ratio} |")


if __name__ == "__main__":
    main()
