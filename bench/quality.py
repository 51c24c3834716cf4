"""Test scores and wall time beside Trainer with the same backbone, on real data sets.

Needs the data sets in ../shared/data; says so and stops when they are not there. The peer's
figures are computed once and kept in results/peers.json; `--again` computes them anew.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from bench.beside import (
    BEST,
    RESULTS,
    ROOT,
    machine,
    read_rows,
    run_trainer,
    run_tunewright,
    shuffled,
    test_tunewright,
    write_parts,
)

DATA = ROOT.parent / "shared" / "data"
SEEDS = (0, 1, 2)
TRAIN, VALIDATION, TEST = 1200, 240, 800
OF_EACH_INTENT = 16, 3  # of banking77, to learn from and to validate
SETS = {
    "banking77": ("accuracy", "train.csv", "test.csv"),
    "sst5": ("accuracy", "train.csv", "test.csv"),
    "tweeteval_emotion": ("macro_f1", "train.csv", "test.csv"),
    "sms_spam": ("macro_f1", "sms.csv", None),
}
PEERS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "lr 5e-5": {**BEST, "learning_rate": 5e-5},
    "lr 1e-4": {**BEST, "learning_rate": 1e-4},
}


def cut(name: str, seed: int) -> dict[str, list[tuple[str, str]]]:
    """The rows of both sides: the same for the peer and for us."""
    _, train, test = SETS[name]
    rows = shuffled(read_rows(DATA / name / train), seed)
    if name == "banking77":
        per: dict[str, list[tuple[str, str]]] = {}
        for row in rows:
            per.setdefault(row[1], []).append(row)
        first, more = OF_EACH_INTENT
        learn = [row for some in per.values() for row in some[:first]]
        validate = [row for some in per.values() for row in some[first : first + more]]
    else:
        learn, validate = rows[:TRAIN], rows[TRAIN : TRAIN + VALIDATION]
    seen = {text.strip().lower() for text, _ in (*learn, *validate)}
    rest = shuffled(read_rows(DATA / name / test), 0) if test else rows[TRAIN + VALIDATION :]
    judge = [row for row in rest if row[0].strip().lower() not in seen][:TEST]
    return {"train": shuffled(learn, seed), "validation": validate, "test": judge}


def peers(name: str, seed: int, folder: Path, labels: list[str], truth: np.ndarray) -> Any:
    """What each setting of the peer scored, from results/peers.json where it is known."""
    from tunewright.evaluation.metrics import score

    path = RESULTS / "peers.json"
    known = json.loads(path.read_text()) if path.exists() else {"machine": machine(), "runs": {}}
    key = f"{name}/{seed}"
    seen = known["runs"].setdefault(key, {})
    for setting, values in PEERS.items():
        if setting == "defaults" and seed != SEEDS[0]:
            continue  # the slowest setting of all, on one seed
        if setting not in seen:
            found = run_trainer(folder, labels, seed, **values)
            probabilities = np.array(found.pop("probabilities"))
            probabilities /= probabilities.sum(1, keepdims=True)
            found["score"] = score(SETS[name][0], probabilities, truth)
            seen[setting] = found
            path.write_text(json.dumps(known, indent=1) + "\n")
            print(f"  Trainer {setting}: {found['score']:.4f} in {found['wall_s']:.0f} s")
    return seen


def main() -> None:
    """Measure what is not known, print the table, keep ours in results/quality.json."""
    if not DATA.is_dir():
        print(f"skipped: the data sets are not at {DATA.relative_to(ROOT.parent)}")
        return
    RESULTS.mkdir(exist_ok=True)
    if "--again" in sys.argv:
        (RESULTS / "peers.json").unlink(missing_ok=True)
    table: dict[str, Any] = {}
    for seed in SEEDS:
        for name, (metric, *_) in SETS.items():
            with tempfile.TemporaryDirectory() as scratch:
                parts = cut(name, seed)
                folder, runs = Path(scratch) / "data", Path(scratch) / "runs"
                labels = write_parts(folder, parts)
                truth = np.array([labels.index(label) for _, label in parts["test"]])
                ours = run_tunewright(folder, runs, seed, f"evaluate.metric={metric}")
                tested = test_tunewright(ours["run"], runs)
                mine = {**tested["test"][metric], "wall_s": ours["wall_s"]}
                print(f"{name} seed {seed}: {mine['value']:.4f} in {mine['wall_s']:.0f} s")
                table[f"{name}/{seed}"] = {
                    "tunewright": mine,
                    "trainer": peers(name, seed, folder, labels, truth),
                    "rows": {part: len(rows) for part, rows in parts.items()},
                }
            facts = {"machine": machine(), "runs": table}
            (RESULTS / "quality.json").write_text(json.dumps(facts, indent=1) + "\n")
    show(table)


def show(table: dict[str, Any]) -> None:
    """Means over the seeds; the interval is the mean of the runs' own 95 % intervals."""
    print(
        "| data | rows to train | metric | Tunewright | Trainer, defaults (seed 0) | Trainer, best of two rates | wall, to best |"
    )
    print("|---|---|---|---|---|---|---|")
    for name, (metric, *_) in SETS.items():
        runs = [table[f"{name}/{seed}"] for seed in SEEDS if f"{name}/{seed}" in table]
        if not runs:
            continue
        ours = {k: np.mean([r["tunewright"][k] for r in runs]) for k in ("value", "low", "high")}
        wall = np.mean([r["tunewright"]["wall_s"] for r in runs])
        default = runs[0]["trainer"]["defaults"]["score"]
        rates = [s for s in PEERS if s != "defaults"]
        best = max(rates, key=lambda s: np.mean([r["trainer"][s]["score"] for r in runs]))
        top = np.mean([r["trainer"][best]["score"] for r in runs])
        their_wall = np.mean([r["trainer"][best]["wall_s"] for r in runs])
        print(
            f"| {name} | {runs[0]['rows']['train']} | {metric} "
            f"| {ours['value']:.3f} [{ours['low']:.3f}, {ours['high']:.3f}] | {default:.3f} "
            f"| {top:.3f} ({best}) | {wall:.0f} s to {their_wall:.0f} s: {wall / their_wall:.2f} |"
        )


if __name__ == "__main__":
    main()
