"""Do 95 % intervals cover what they should, and how often does a verdict see a gain where none is?

A thousand simulated experiments of each kind: rows of five classes of unequal size, some of them hard
for every model, a tuned model and a baseline that share what is hard. The truth is the score of the
same two models on two million rows. Of shuffled labels two models learned how frequent each is and no
more. Everything is seeded; it takes some minutes on one core.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np

from bench.beside import RESULTS
from tunewright.evaluation.metrics import score
from tunewright.evaluation.verdict import verdict

EXPERIMENTS, RESAMPLES, MANY = 1_000, 500, 2_000_000
SIZES = (200, 753)
SHARES = np.array([0.4, 0.25, 0.2, 0.1, 0.05])
METRICS = ("accuracy", "macro_f1")
SKILLS = (1.1, 0.8)  # of the tuned model and of the baseline
Simulated = tuple[np.ndarray, np.ndarray, np.ndarray]


def main() -> None:
    """Measure, print the table, keep it in results/coverage.json."""
    count = int(sys.argv[1]) if sys.argv[1:] else EXPERIMENTS
    found = []
    for metric in METRICS:
        truth = [_truth(metric, skill) for skill in SKILLS]
        found += [of_size(metric, size, truth, count) for size in SIZES]
    (RESULTS / "coverage.json").write_text(json.dumps(found, indent=1) + "\n")
    print("| metric | rows | score covered | difference covered | 'better' on shuffled labels |")
    print("|---|---|---|---|---|")
    for each in found:
        print(
            f"| {each['metric']} | {each['rows']} | {each['score']:.3f} "
            f"| {each['difference']:.3f} | {each['false_gains']:.3f} |"
        )


def of_size(metric: str, rows: int, truth: list[float], count: int) -> dict[str, Any]:
    """The shares of experiments in which each interval holds the truth."""
    held = {"score": 0, "difference": 0, "false_gains": 0}
    for at in range(count):
        ours, theirs, labels = simulated(np.random.default_rng([rows, at]), rows)
        said = _asked(metric, ours, theirs, labels, at)
        held["score"] += said["own"]["low"] <= truth[0] <= said["own"]["high"]
        apart = said["difference"]
        held["difference"] += apart["low"] <= truth[0] - truth[1] <= apart["high"]
        guesses = guessed(np.random.default_rng([rows, at, 1]), labels)
        held["false_gains"] += _asked(metric, *guesses, labels, at)["better_than_baseline"]
    return {"metric": metric, "rows": rows} | {key: n / count for key, n in held.items()}


def _asked(
    metric: str, ours: np.ndarray, theirs: np.ndarray, labels: np.ndarray, seed: int
) -> dict[str, Any]:
    from tunewright.evaluation.intervals import bootstrap

    said = verdict(metric, ours, {"baseline": theirs}, labels, resamples=RESAMPLES, seed=seed)
    own = bootstrap([metric], ours, labels, resamples=RESAMPLES, seed=seed)[metric]
    return said | {"own": own}


def simulated(draw: np.random.Generator, rows: int) -> Simulated:
    """(answers of the tuned model, of the baseline, labels)."""
    labels = draw.choice(len(SHARES), rows, p=SHARES)
    hard = draw.normal(0, 1.0, rows)
    ours, theirs = (_answers(draw, labels, hard, skill) for skill in SKILLS)
    return ours, theirs, labels


def guessed(draw: np.random.Generator, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Answers of two models that learned from labels shuffled anew: as often each, of other rows."""
    hard = draw.normal(0, 1.0, len(labels))
    ours, theirs = (_answers(draw, draw.permutation(labels), hard, SKILLS[0]) for _ in range(2))
    return ours, theirs


def _answers(
    draw: np.random.Generator, labels: np.ndarray, hard: np.ndarray, skill: float
) -> np.ndarray:
    """float (rows, classes): scores of noise, the right one raised by skill less what is hard."""
    scores = draw.gumbel(0, 1, (len(labels), len(SHARES)))
    scores[np.arange(len(labels)), labels] += 2 * skill - hard
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    found: np.ndarray = shares / shares.sum(axis=1, keepdims=True)
    return found


def _truth(metric: str, skill: float) -> float:
    draw = np.random.default_rng(7)
    labels = draw.choice(len(SHARES), MANY, p=SHARES)
    return score(metric, _answers(draw, labels, draw.normal(0, 1.0, MANY), skill), labels)


if __name__ == "__main__":
    main()
