"""A search of 15 trials beside Trainer's hyperparameter_search: same space, rows and machine.

Needs the data sets in ../shared/data; says so and stops when they are not there. Every result is kept
in results/search.json as it comes, and what is there is not measured again: the peer's is computed once.
The seconds end where the search names its winner; the test score is that of a run of the winner.

python -m bench.search [SET …] [tunewright|trainer …] [--trials=15] [--rows=N] [--seeds=3]
BENCH_THREADS sets the threads of both sides, two unless said.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.beside import (
    RESULTS,
    ROOT,
    Row,
    json_of,
    machine,
    minilm,
    read_rows,
    shuffled,
    test_tunewright,
    write_parts,
)

DATA = ROOT.parent / "shared" / "data"
KEPT = RESULTS / "search.json"
ROWS = {"banking77": 770, "sst5": 1000, "tweeteval_emotion": 1000}
VALIDATION, TEST = 500, 1000
SIDES = ("trainer", "tunewright")
THREADS = int(os.environ.get("BENCH_THREADS", "2"))
SPACE = {
    "adapt.layers": ["top-1", "top-2", "top-4", "all"],
    "train.strategy": ["full"],
    "train.learning_rate": {"low": 1e-5, "high": 1e-3, "log": True},
    "train.batch_size": [8, 16, 32],
    "train.epochs": [2, 3, 5],
    "train.weight_decay": {"low": 1e-3, "high": 0.1, "log": True},
}
"""The peer's, and the depth, by which trials share their work."""


def main() -> None:
    """Measure what was asked for and is not known, then print the table."""
    if not DATA.is_dir():
        print(f"skipped: the data sets are not at {DATA.relative_to(ROOT.parent)}")
        return
    words = sys.argv[1:]
    numbers = dict(word.removeprefix("--").split("=") for word in words if word.startswith("--"))
    trials, seeds = int(numbers.get("trials", 15)), int(numbers.get("seeds", 3))
    names = [name for name in ROWS if name in words] or list(ROWS)
    sides = [side for side in SIDES if side in words] or list(SIDES)
    for name in names:
        rows = int(numbers.get("rows", ROWS[name]))
        for seed in range(seeds):
            for side in sides:
                if side == "tunewright" or seed == 0:
                    measure(name, rows, trials, seed, side)
    show()


def runs() -> dict[str, Any]:
    """What is known: "set/rows/trials/seed/side" to scores and seconds."""
    return dict(json.loads(KEPT.read_text())["runs"]) if KEPT.exists() else {}


def measure(name: str, rows: int, trials: int, seed: int, side: str) -> None:
    """Run one side and keep what it found, unless it is kept already."""
    key = f"{name}/{rows}/{trials}/{seed}/{side}"
    if key in runs():
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "data"
        labels = write_parts(folder, cut(name, rows))
        found = (ours if side == "tunewright" else theirs)(folder, labels, trials, seed)
    print(key, found, flush=True)
    RESULTS.mkdir(exist_ok=True)
    facts = {"machine": machine(), "runs": {**runs(), key: found}}
    KEPT.write_text(json.dumps(facts, indent=1) + "\n")


def cut(name: str, count: int) -> dict[str, list[Row]]:
    """As many rows of each class as make so many; validation and test of other texts."""
    rows = shuffled(read_rows(DATA / name / "train.csv"), 0)
    labels = sorted({label for _, label in rows})
    per, left = -(-count // len(labels)), dict.fromkeys(labels, 0)
    learn: list[Row] = []
    for row in rows if name == "banking77" else rows[:count]:
        left[row[1]] += 1
        if name != "banking77" or left[row[1]] <= per:
            learn.append(row)
    others = [row for row in rows if row not in set(learn)]
    if (DATA / name / "validation.csv").exists():
        others = shuffled(read_rows(DATA / name / "validation.csv"), 0)
    seen = {text.strip().lower() for text, _ in learn}
    validation = [row for row in others if row[0].strip().lower() not in seen][
        : min(VALIDATION, count)
    ]
    seen |= {text.strip().lower() for text, _ in validation}
    rest = shuffled(read_rows(DATA / name / "test.csv"), 0)
    test = [row for row in rest if row[0].strip().lower() not in seen][: min(TEST, 2 * count)]
    return {"train": learn[:count], "validation": validation, "test": test}


def ours(folder: Path, labels: list[str], trials: int, seed: int) -> dict[str, Any]:
    """The search, then a run of its winner, with the seal opened once."""
    where = folder.parent / "runs"
    settings = [
        f"train.threads={THREADS}",
        "evaluate.metric=accuracy",
        "data.allow=[leak,near-leak,contradictory-label]",
        f"tune.space={json.dumps(SPACE)}",
        f"seed={seed}",
    ]
    sets = [word for setting in settings for word in ("--set", setting)]
    command = [sys.executable, "-m", "tunewright.cli.main", "tune", str(folder), "--json"]
    started = time.perf_counter()
    found = json_of([*command, "--trials", str(trials), *sets], TUNEWRIGHT_RUNS=str(where))
    wall_s = time.perf_counter() - started
    (study,) = where.glob("*-tune-*")
    run = json_of(
        [sys.executable, "-m", "tunewright.cli.main", "run", str(study / "best.yaml"), "--json"],
        TUNEWRIGHT_RUNS=str(where),
    )
    tested = test_tunewright(str(Path(run["model"]["path"]).parent), where)
    return {
        "wall_s": round(wall_s, 1),
        "validation": found["best"]["score"]["value"],
        "test": tested["test"]["accuracy"]["value"],
        "settings": found["best"]["settings"],
        "seconds": found["seconds"],
        "trials": found["trials"],
        "each": [[row["wall_s"], row["value"], row["state"]] for row in found["table"]],
    }


def theirs(folder: Path, labels: list[str], trials: int, seed: int) -> dict[str, Any]:
    """Trainer's."""
    asked = json.dumps({"labels": labels, "seed": seed, "threads": THREADS, "trials": trials})
    found = json_of([sys.executable, "-m", "bench.search_peer", str(folder), minilm(), asked])
    return {**found, "wall_s": round(found["wall_s"], 1)}


def show() -> None:
    """Seconds and scores of both sides, and their ratio: with our repeats over seeds, and without.

    Trainer repeats nothing, so that without them both do the same: the trials.
    """
    print(
        "| set/rows/trials/seed | side | seconds | of them repeats | validation | test | Trainer's "
        "seconds to ours | to ours without repeats |"
    )
    print("|---|---|---|---|---|---|---|---|")
    known = runs()
    for key, found in known.items():
        place, _, side = key.rpartition("/")
        peer = known.get(f"{place.rpartition('/')[0]}/0/trainer")
        seconds, again = found["wall_s"], found.get("seconds", {}).get("repeats", 0.0)
        ratios = " | "
        if peer and side != "trainer":
            ratios = " | ".join(
                f"{peer['wall_s'] / each:.1f}" for each in (seconds, seconds - again)
            )
        scores = f"{found['validation']:.3f} | {found['test']:.3f}"
        print(f"| {place} | {side} | {seconds:.0f} | {again:.0f} | {scores} | {ratios} |")


if __name__ == "__main__":
    main()
