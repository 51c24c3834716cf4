"""Gathers the evidence for what to try next."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tunewright import features
from tunewright.adapting import Adapted
from tunewright.backends import probe
from tunewright.data.prepare import Prepared
from tunewright.evaluation.advice import Evidence, advise
from tunewright.evaluation.intervals import Interval
from tunewright.evaluation.over_seeds import mean_over_seeds
from tunewright.train.loop import Progress

DRAWS = 3
FEWEST_ROWS = 40
SHARES = (0.125, 0.25, 0.5, 1.0)


def next_steps(
    folder: Path,
    adapted: Adapted,
    prepared: Prepared,
    progress: Progress,
    verdict: dict[str, Any],
    metric: str,
) -> dict[str, Any]:
    """{"advice": see `advise`, "learning_curve": [{"rows", "score"}]} of a run that is trained.

    Args:
        metric: the one of the verdict.
    """
    recipe = adapted.recipe
    curve, doubling = _learning_curve(folder, prepared, recipe.seed, metric)
    counts = {finding.code: finding.count for finding in prepared.findings.findings}
    found = Evidence(
        metric=metric,
        recipe=str(folder / "recipe.yaml"),
        data=str(recipe.data.train),
        model=recipe.model,
        strategy=str(recipe.train.strategy),
        num_blocks=adapted.backend.num_blocks,
        epochs=recipe.train.epochs if isinstance(recipe.train.epochs, int) else None,
        best_step=progress.best.step,
        rows=len(prepared.train) + len(prepared.validation),
        doubted=counts.get("label-error", 0),
        doubling=doubling,
        history=progress.history,
        phases=progress.records,
        differences=verdict["differences"],
    )
    return {"advice": advise(found), "learning_curve": curve}


def _learning_curve(
    folder: Path, prepared: Prepared, seed: int, metric: str
) -> tuple[list[dict[str, Any]], Interval | None]:
    """What a probe has on validation from an eighth of the rows to all; and what half of them cost.

    Shares are drawn three times; intervals are over draws and validation rows.
    """
    kept = features.kept(folder)
    if kept is None or len(kept.rows) < FEWEST_ROWS:
        return [], None
    learned = prepared.targets_of("train")[kept.rows]
    labels, count = prepared.targets_of("validation"), len(prepared.labels)
    train, asked = (each.astype(np.float32) for each in (kept.train, kept.validation))

    def answers(rows: np.ndarray) -> np.ndarray:
        return probe.fit(train[rows], learned[rows], prepared.kind, count, seed=seed)(asked)

    curve: list[dict[str, Any]] = []
    said: list[np.ndarray] = []
    for share in SHARES:
        before, size = said, max(1, round(share * len(learned)))
        draws = 1 if share == 1.0 else DRAWS
        said = [
            answers(np.random.default_rng([seed, draw]).permutation(len(learned))[:size])
            for draw in range(draws)
        ]
        curve.append({"rows": size, "score": mean_over_seeds(metric, said, labels, seed=seed)})
    lost = mean_over_seeds(metric, before, labels, against=said[0], seed=seed)
    return curve, {"value": -lost["value"], "low": -lost["high"], "high": -lost["low"]}
