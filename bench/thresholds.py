"""Do thresholds that were fitted on validation help on rows that they did not see?

Needs the data sets in ../shared/data: two of two uneven classes, and one of several labels. Each is
fine-tuned with the default recipe, one seed, one thread. Thresholds are fitted on the 150 validation
rows of the run as `evaluate.thresholds: auto` does, and the test rows are scored by them and by one
half: the difference with its 95 % interval, paired by row. Names of sets restrict it to them.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np

from bench.beside import read_rows, run_tunewright, write_parts
from bench.quality import DATA, cut
from bench.set_by_set import set_by_set

METRICS = {
    "amazon_counterfactual_en": ("mcc", "macro_f1"),
    "sms_spam": ("mcc", "macro_f1"),
    "nlupp_multilabel": ("micro_f1", "macro_f1"),
}
SIZES = 500, 150, 2000


def main() -> None:
    """Measure what was asked for, keep it in results/thresholds.json, print the table."""
    if known := set_by_set("thresholds.json", METRICS, of_set):
        show(known)


def of_set(name: str, scratch: Path) -> dict[str, Any]:
    """Metric → thresholds, test scores at one half and at them, and the difference."""
    from tunewright.backends import open_predictor

    folder = scratch / name
    rows = several(name) if name == "nlupp_multilabel" else cut(name, 0, SIZES)
    write_parts(folder, rows)
    task = ("task=text-multi-label",) if name == "nlupp_multilabel" else ()
    settings = f"evaluate.metric={METRICS[name][1]}", "train.threads=1", *task
    run = Path(run_tunewright(folder, scratch / "runs", 0, *settings)["run"])
    model = open_predictor(run / "model")
    validation, test = (
        shares_and_labels(model, folder / f"{part}.csv") for part in ("validation", "test")
    )
    found = {metric: of_metric(metric, validation, test) for metric in METRICS[name]}
    print(name, found, flush=True)
    return found


def several(name: str) -> dict[str, list[tuple[str, str]]]:
    """The rows of all files, in parts; labels with | between."""
    lines = [
        json.loads(line)
        for path in sorted((DATA / name).glob("*.jsonl"))
        for line in path.read_text("utf-8").splitlines()
    ]
    rows = [(each["text"], "|".join(each["intents"])) for each in lines if each["intents"]]
    random.Random(0).shuffle(rows)
    learned, validated, tested = SIZES
    known = {label for _, labels in rows[:learned] for label in labels.split("|")}
    rest = [row for row in rows[learned:] if set(row[1].split("|")) <= known]
    return {
        "train": rows[:learned],
        "validation": rest[:validated],
        "test": rest[validated : validated + tested],
    }


def shares_and_labels(model: Any, path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Shares (N, K) of the rows of a file, and what is right, as metrics take it."""
    texts, named = zip(*read_rows(path), strict=True)
    if model.answer.kind == "one":
        return model.answers(texts), np.array([model.labels.index(label) for label in named])
    labels = [[label in each.split("|") for label in model.labels] for each in named]
    return model.answers(texts), np.array(labels, np.float32)


def of_metric(metric: str, validation: Any, test: Any) -> dict[str, Any]:
    """One metric on the test rows, by thresholds and by one half."""
    from tunewright.evaluation.decided import decided
    from tunewright.evaluation.intervals import paired_difference
    from tunewright.evaluation.metrics import score
    from tunewright.evaluation.thresholds import fitted

    limits = fitted(metric, *validation, seed=0)
    shares, labels = test
    answers = decided(shares, limits)
    return {
        "rows": len(labels),
        "thresholds": np.round(limits, 3).tolist(),
        "at_half": score(metric, shares, labels),
        "at_thresholds": score(metric, answers, labels),
        "difference": paired_difference(metric, answers, shares, labels),
    }


def show(known: dict[str, dict[str, Any]]) -> None:
    """Print a Markdown table."""
    print(
        "| data | metric | at one half | by thresholds | difference, 95 % |\n|---|---|---|---|---|"
    )
    for name, metrics in known.items():
        for metric, each in metrics.items():
            gap = each["difference"]
            print(
                f"| {name} | {metric} | {each['at_half']:.3f} | {each['at_thresholds']:.3f} "
                f"| {gap['value']:+.3f} [{gap['low']:+.3f}, {gap['high']:+.3f}] |"
            )


if __name__ == "__main__":
    main()
