"""Test scores of few rows without and with the usual augmentation: where it helps, and where not.

Needs the data sets in ../shared/data; says so and stops when they are not there. Every draw of rows
is trained on twice, with all other settings the same; what `augment: auto` would have decided is
written down too. Lines are kept in results/augmentation.json as they come, and a line that is there
is not measured again. Words restrict it: names of sets, rows per class, `seeds=2`, or
`methods=delete,swap` for other methods than the usual ones, which are printed and not kept.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from bench.beside import RESULTS, ROOT, Row, machine, read_rows, shuffled, write_parts

DATA = ROOT.parent / "shared" / "data"
SETS = {"sst5": "accuracy", "tweeteval_emotion": "macro_f1"}
PER_CLASS = (8, 32, 128)
MOST_TO_VALIDATE = 50  # of each class; else as many as to train
TEST = 800
SEEDS = 5
KEPT = RESULTS / "augmentation.json"


def main() -> None:
    """Measure what is not known yet, then print the table."""
    if not DATA.is_dir():
        print(f"skipped: the data sets are not at {DATA.relative_to(ROOT.parent)}")
        return
    words = sys.argv[1:]
    named = dict(word.split("=") for word in words if "=" in word)
    names = [name for name in SETS if name in words] or list(SETS)
    sizes = [size for size in PER_CLASS if str(size) in words] or PER_CLASS
    methods = f"[{named['methods']}]" if "methods" in named else "usual"
    table: dict[str, Any] = json.loads(KEPT.read_text())["runs"] if KEPT.exists() else {}
    for seed in range(int(named.get("seeds", SEEDS))):
        for name in names:
            for size in sizes:
                key = f"{name}/{size}/{seed}"
                if methods == "usual" and key in table:
                    continue
                found = measure(name, size, seed, methods)
                print(key, json.dumps(found), flush=True)
                if methods == "usual":
                    table[key] = found
                    facts = {"machine": machine(), "runs": table}
                    KEPT.write_text(json.dumps(facts, indent=1) + "\n")
    show(table)


def cut(name: str, per_class: int, seed: int) -> dict[str, list[Row]]:
    """So many rows of each class to train on, as many or 50 to validate, 800 to test."""
    per: dict[str, list[Row]] = {}
    for row in shuffled(read_rows(DATA / name / "train.csv"), seed):
        per.setdefault(row[1], []).append(row)
    more = per_class + min(per_class, MOST_TO_VALIDATE)
    learn = [row for some in per.values() for row in some[:per_class]]
    validate = [row for some in per.values() for row in some[per_class:more]]
    seen = {text.strip().lower() for text, _ in (*learn, *validate)}
    rest = shuffled(read_rows(DATA / name / "test.csv"), 0)
    judge = [row for row in rest if row[0].strip().lower() not in seen][:TEST]
    return {"train": shuffled(learn, seed), "validation": validate, "test": judge}


def measure(name: str, per_class: int, seed: int, methods: str) -> dict[str, Any]:
    """Scores on the test rows of both, the paired difference, and what auto says."""
    import tunewright
    from tunewright.evaluation.intervals import paired_difference
    from tunewright.evaluation.metrics import score

    metric = SETS[name]
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["TUNEWRIGHT_RUNS"] = f"{scratch}/runs"
        parts = cut(name, per_class, seed)
        labels = write_parts(Path(scratch) / "data", parts)
        settings = [f"evaluate.metric={metric}", "train.threads=1", f"seed={seed}"]
        answers = {
            arm: answers_of(
                tunewright.run(
                    f"{scratch}/data", settings=[*settings, f"augment.methods={asked}"]
                ).model,
                [text for text, _ in parts["test"]],
            )
            for arm, asked in (("without", "none"), ("with", methods))
        }
        auto = tunewright.run(
            f"{scratch}/data", settings=[*settings, "augment.methods=auto"], until="adapt"
        )
        lines = (auto.folder / "recipe.yaml").read_text().splitlines()
    (said,) = [line.strip() for line in lines if line.startswith("  methods:")]
    truth = np.array([labels.index(label) for _, label in parts["test"]])
    difference = paired_difference(metric, answers["with"], answers["without"], truth)
    return {
        **{arm: score(metric, each, truth) for arm, each in answers.items()},
        "difference": difference,
        "auto": said,
    }


def answers_of(model: Path, texts: list[str]) -> np.ndarray:
    """float (rows, labels), of a model folder in the order of its labels."""
    from tunewright.backends import open_predictor

    found: np.ndarray = open_predictor(model).answers(texts)
    return found


def show(table: dict[str, Any]) -> None:
    """Means over the seeds; the interval is of the mean difference, by Student's t over seeds."""
    print(
        "| data | metric | rows per class | seeds | without | with | difference | auto turns on |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for name, metric in SETS.items():
        for size in PER_CLASS:
            runs = [run for key, run in table.items() if key.startswith(f"{name}/{size}/")]
            if not runs:
                continue
            without, with_views = (
                np.mean([run[arm] for run in runs]) for arm in ("without", "with")
            )
            low, high = spread([run["with"] - run["without"] for run in runs])
            on = sum("none" not in run["auto"].split("#")[0] for run in runs)
            print(
                f"| {name} | {metric} | {size} | {len(runs)} | {without:.3f} | {with_views:.3f} "
                f"| {with_views - without:+.3f} [{low:+.3f}, {high:+.3f}] | {on} of {len(runs)} |"
            )


def spread(differences: list[float]) -> tuple[float, float]:
    """The 95 % interval of their mean; of one alone there is none."""
    from scipy.stats import t

    if len(differences) < 2:
        return float("nan"), float("nan")
    middle = float(np.mean(differences))
    error = float(np.std(differences, ddof=1)) / len(differences) ** 0.5
    reach = float(t.ppf(0.975, len(differences) - 1)) * error
    return middle - reach, middle + reach


if __name__ == "__main__":
    main()
