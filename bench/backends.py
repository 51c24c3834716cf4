"""One recipe on PyTorch and on TensorFlow, beside KerasHub's own `fit`, on real data sets.

Needs the data sets in ../shared/data and the extra tensorflow; rows as in `bench.quality`. `scores`
takes those of both backends on the test rows, five seeds, on one thread each: they do not depend on
what else the machine does. `times` wants a quiet machine: on the first seed and all cores, the
Keras backend and KerasHub's `TextClassifier.fit` with its defaults (but for three epochs in the
place of one, and a sequence length of 128 in the place of 512, which is faster and cuts no row).
Without a word it does both; names of sets restrict it to them, numbers to those seeds.
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
from bench.staged import Curve, curve_of

SETS = ("banking77", "sst5", "tweeteval_emotion")
SEEDS = (0, 1, 2, 3, 4)
BACKENDS = ("torch", "keras")
METRIC = "evaluate.metric=accuracy"


def main() -> None:
    """Measure what was asked for, keep it in results/backends.json, print the table."""
    if not DATA.is_dir():
        print(f"skipped: the data sets are not at {DATA.relative_to(ROOT.parent)}")
        return
    path = RESULTS / "backends.json"
    known = json.loads(path.read_text()) if path.exists() else {"sets": {}}
    words = sys.argv[1:]
    names = [name for name in SETS if name in words] or SETS
    seeds = [int(word) for word in words if word.isdigit()] or SEEDS
    both = not {"times", "scores"} & set(words)
    for name in names:
        found = known["sets"].setdefault(name, {})
        if both or "times" in words:
            found["times"] = times(name)
            keep(path, known)
        for seed in seeds if both or "scores" in words else ():
            found.setdefault("scores", {})[str(seed)] = scores(name, seed)
            keep(path, known)
    show(known["sets"])


def keep(path: Path, known: dict[str, Any]) -> None:
    path.write_text(json.dumps({**known, "machine": machine()}, indent=1) + "\n")


def scores(name: str, seed: int) -> dict[str, float]:
    """Accuracy of each backend on the test rows."""
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder, runs = Path(scratch) / "data", Path(scratch) / "runs"
        write_parts(folder, cut(name, seed))
        for backend in BACKENDS:
            settings = (f"backend={backend}", METRIC, "train.threads=1")
            run = run_tunewright(folder, runs, seed, *settings)["run"]
            found[backend] = test_tunewright(run, runs)["test"]["accuracy"]["value"]
    print(name, "seed", seed, found, flush=True)
    return found


def times(name: str) -> dict[str, Any]:
    """Scores by seconds of each side, and its score on the test rows; the first seed."""
    with tempfile.TemporaryDirectory() as scratch:
        folder, runs = Path(scratch) / "data", Path(scratch) / "runs"
        labels = write_parts(folder, cut(name, SEEDS[0]))
        ours = run_tunewright(folder, runs, SEEDS[0], "backend=keras", METRIC)
        asked = {"labels": labels, "seed": SEEDS[0], "epochs": 3, "sequence_length": 128}
        command = [sys.executable, "-m", "bench.kerashub_peer", str(folder), minilm()]
        peer = json_of([*command, json.dumps(asked)])
        found = {
            "keras": {"curve": curve_of(ours), "wall_s": ours["wall_s"]},
            "kerashub": {key: peer[key] for key in ("curve", "fitted_s", "test_accuracy")},
        }
    print(name, faster(found), flush=True)
    return found


def faster(found: dict[str, Any]) -> str:
    """How many times sooner we have the best score that the peer has after any epoch."""
    theirs: Curve = found["kerashub"]["curve"]
    took_s, target = max(theirs, key=lambda point: (point[1], -point[0]))
    ours_s = next((s for s, score in found["keras"]["curve"] if score >= target), None)
    if ours_s is None:
        return f"{target:.3f} is not reached"
    return f"{took_s / ours_s:.1f} times ({target:.3f} after {ours_s:.0f} s and {took_s:.0f} s)"


def show(known: dict[str, Any]) -> None:
    """Print a Markdown table of what was measured whole."""
    print("| data | torch, mean and range of five seeds | keras | differences, same seed "
          "| KerasHub `fit` | keras has its best validation score |")  # fmt: skip
    print("|---|---|---|---|---|---|")
    for name, found in known.items():
        if not {"times", "scores"} <= set(found):
            continue
        seeds = found["scores"].values()
        both = [np.array([score[backend] for score in seeds]) for backend in BACKENDS]
        torch, keras = (f"{s.mean():.3f} [{s.min():.3f}, {s.max():.3f}]" for s in both)
        apart = ", ".join(f"{difference:+.3f}" for difference in both[1] - both[0])
        peer = found["times"]["kerashub"]["test_accuracy"]
        print(f"| {name} | {torch} | {keras} | {apart} | {peer:.3f} | {faster(found['times'])} |")


if __name__ == "__main__":
    main()
