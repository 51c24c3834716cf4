"""Wrong labels found: 5 % of the labels flipped at random, beside cleanlab on the same shares.

Needs the data sets in ../shared/data; says so and stops when they are not there. cleanlab is no
dependency: where it is not installed its columns stay empty. Precision is that of as many rows as
were flipped, ranked first; recall is that of the rows that are told as findings.
"""

from __future__ import annotations

import importlib.util
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from bench.beside import RESULTS, ROOT, machine
from tunewright.backends.out_of_sample import FOLDS, out_of_sample
from tunewright.data.checks.label_errors import doubts

DATA = ROOT.parent / "shared" / "data"
SETS = {
    "banking77": "banking77/train.csv",
    "sms_spam": "sms_spam/sms.csv",
    "tweeteval_emotion": "tweeteval_emotion/train.csv",
}
SEEDS = (0, 1, 2)
FLIPPED = 0.05
Looked = tuple[np.ndarray, np.ndarray, np.ndarray, int]  # features, labels, keys, how many labels


def main() -> None:
    """Measure, print the table, keep it in results/label_errors.json."""
    if not DATA.is_dir():
        print(f"there are no data sets in {DATA}")
        return
    found = {}
    for name, file in SETS.items():
        looked = looked_at(DATA / file)
        found[name] = [flipped(*looked, seed=seed) for seed in SEEDS]
    RESULTS.mkdir(exist_ok=True)
    facts = {"machine": machine(), "flipped": FLIPPED, "sets": found}
    (RESULTS / "label_errors.json").write_text(json.dumps(facts, indent=1) + "\n")
    print_table(found)


def looked_at(path: Path) -> Looked:
    """The rows of training and validation, as a run of the embedded model sees them."""
    from tunewright.adapting import adapt
    from tunewright.data.prepare import prepare
    from tunewright.durable import make_folder
    from tunewright.history.request import read_request
    from tunewright.pretrained.catalog import resolve_model

    recipe = read_request(path, {}, ["data.columns.label=label"])
    with tempfile.TemporaryDirectory() as folder:
        place = make_folder(Path(folder) / "data").parent
        prepared = prepare(recipe.data, recipe.seed, place, task=recipe.task)
    backend = adapt(recipe, resolve_model(recipe.model), prepared).backend
    features = [backend.features(part, 0) for part in ("train", "validation")]
    return (
        np.concatenate([each for each in features if each is not None]),
        np.concatenate([prepared.targets_of("train"), prepared.targets_of("validation")]),
        np.concatenate([prepared.train.text_keys(), prepared.validation.text_keys()]),
        len(prepared.labels),
    )


def flipped(
    features: np.ndarray, labels: np.ndarray, keys: np.ndarray, num_labels: int, *, seed: int
) -> dict[str, Any]:
    """Flip some labels, look for them, count."""
    random = np.random.default_rng(seed)
    rows = random.permutation(len(labels))[: round(FLIPPED * len(labels))]
    given = labels.copy()
    given[rows] = (given[rows] + random.integers(1, num_labels, len(rows))) % num_labels
    wrong = np.zeros(len(labels), dtype=bool)
    wrong[rows] = True
    started = time.perf_counter()
    shares = out_of_sample(features, given, num_labels, keys, seed=seed)
    judged = np.bincount(given, minlength=num_labels)[given] >= FOLDS
    found = doubts(shares, given, judged)
    seconds = time.perf_counter() - started
    facts = {
        "rows": len(labels),
        "agreed": float((shares.argmax(axis=1) == labels).mean()),
        "seconds": round(seconds, 2),
        "tunewright": counted(wrong, found.trust, found.rows),
    }
    if importlib.util.find_spec("cleanlab") is not None:
        facts["cleanlab"] = of_cleanlab(wrong, given, shares)
    return facts


def of_cleanlab(wrong: np.ndarray, given: np.ndarray, shares: np.ndarray) -> dict[str, float]:
    """By its defaults."""
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    told = np.flatnonzero(find_label_issues(given, shares))
    return counted(wrong, get_label_quality_scores(given, shares), told)


def counted(wrong: np.ndarray, trust: np.ndarray, told: np.ndarray) -> dict[str, float]:
    """Precision of the first rows by trust; how many rows are told, their precision and recall."""
    flips = int(wrong.sum())
    first = np.argsort(trust, kind="stable")[:flips]
    return {
        "precision_first": float(wrong[first].mean()),
        "told": len(told),
        "precision": float(wrong[told].mean()) if len(told) else 0.0,
        "recall": float(wrong[told].sum() / flips),
    }


def print_table(found: dict[str, list[dict[str, Any]]]) -> None:
    """Means over the seeds."""
    columns = ("precision_first", "precision", "recall")
    print("| set | probes agree | | precision of the first 5 % | precision | recall |")
    print("|---|---|---|---|---|---|")
    for name, runs in found.items():
        for who in ("tunewright", "cleanlab"):
            if who in runs[0]:
                means = [np.mean([run[who][column] for run in runs]) for column in columns]
                agreed = np.mean([run["agreed"] for run in runs])
                cells = " | ".join(f"{100 * mean:.1f} %" for mean in means)
                print(f"| {name} | {100 * agreed:.1f} % | {who} | {cells} |")


if __name__ == "__main__":
    main()
