"""The baselines of a run, fitted on the rows that its model was trained on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from tunewright import features, zero_shot
from tunewright.backends import neighbours, open_language, probe
from tunewright.data.labels import targets
from tunewright.data.prepare import Prepared
from tunewright.data.rows import Rows
from tunewright.data.suspects import read_suspects
from tunewright.evaluation.baselines import FittedBaseline, fit_baselines, timed, untouched
from tunewright.few_shot import NAME as FEW_SHOT
from tunewright.few_shot import few_shot, shots
from tunewright.pretrained.catalog import resolve_model
from tunewright.recipe.schema import UNLABELLED, Recipe

Compute = Callable[[Rows], np.ndarray]


def baselines_of(run_folder: Path, prepared: Prepared, recipe: Recipe) -> list[FittedBaseline]:
    """Cheap models of the rows, and of what the pre-trained model makes of them; or that model,
    alone and shown examples.

    Args:
        recipe: resolved.
    """
    base = base_folder(recipe)
    if prepared.kind in UNLABELLED:
        alone = untouched(lambda: open_language(base, base, recipe))
        examples = shots(prepared.train, base, recipe)
        return [alone] if isinstance(examples, str) else [alone, few_shot(examples, base, recipe)]
    found = fit_baselines(
        prepared.train, prepared.targets_of("train"), len(prepared.labels), seed=recipe.seed
    )
    if zero_shot.unfit(prepared, base, recipe) is None:
        found.append(zero_shot.zero_shot(prepared.labels, base, recipe))
    kept = features.kept(run_folder)
    if kept is None:
        return found
    suspects = read_suspects(run_folder)
    took = 0.0 if suspects is None else suspects.features_s
    return [*found, *_on_features(kept, _computing(kept, prepared, recipe), prepared, recipe, took)]


def left_out(prepared: Prepared, recipe: Recipe) -> dict[str, str]:
    """Why the untouched model is not asked in some ways: name of each baseline → reason."""
    base = base_folder(recipe)
    if prepared.kind in UNLABELLED:
        examples = shots(prepared.train, base, recipe)
        return {FEW_SHOT: examples} if isinstance(examples, str) else {}
    why = zero_shot.unfit(prepared, base, recipe)
    return {} if why is None else {zero_shot.NAME: why}


def base_folder(recipe: Recipe) -> Path:
    """Where the pre-trained model of a recipe is."""
    return resolve_model(recipe.model, revision=recipe.revision).path


def _computing(kept: features.Features, prepared: Prepared, recipe: Recipe) -> Compute:
    """What gives the features of rows; both baselines ask for the same ones, one after the other."""
    known: list[tuple[Rows, np.ndarray]] = [(prepared.validation, kept.validation)]

    def compute(rows: Rows) -> np.ndarray:
        for asked, found in known:
            if asked is rows:
                return found.astype(np.float32)
        numbers = targets(rows, prepared.labels, prepared.kind)
        found = features.compute(recipe, base_folder(recipe), prepared.labels, rows, numbers)
        known.append((rows, found))
        return found.astype(np.float32)

    return compute


def _on_features(
    kept: features.Features, compute: Compute, prepared: Prepared, recipe: Recipe, took: float
) -> list[FittedBaseline]:
    learned = prepared.targets_of("train")[kept.rows]
    train, labels = kept.train.astype(np.float32), len(prepared.labels)

    def fit_neighbours() -> Callable[[Rows], np.ndarray]:
        vote = neighbours.fit(train, learned, labels, seed=recipe.seed)
        return lambda rows: vote(compute(rows))

    def fit_probe() -> Callable[[Rows], np.ndarray]:
        answer = probe.fit(train, learned, prepared.kind, labels, seed=recipe.seed)
        return lambda rows: answer(compute(rows))

    return [
        timed("knn", len(learned), fit_neighbours, before=took),
        timed("probe", len(learned), fit_probe, before=took),
    ]
