"""Which pre-trained model: candidates ranked on the user's own rows, before anything is tuned."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from tunewright.adapting import Adapted, adapt
from tunewright.backends import neighbours, probe
from tunewright.backends.out_of_sample import Answer, cross_validated, folds
from tunewright.backends.transferability import h_score, log_me
from tunewright.data.prepare import Prepared, prepare
from tunewright.data.rows import Rows
from tunewright.durable import make_folder
from tunewright.errors import ModelError, TunewrightError
from tunewright.evaluation.intervals import bootstrap, paired_difference
from tunewright.evaluation.shown import number, word
from tunewright.features import computed, share
from tunewright.history.request import read_request
from tunewright.pretrained.catalog import resolve_model
from tunewright.pretrained.listing import list_models
from tunewright.recipe.augment import Augment
from tunewright.recipe.metric_names import judged_by
from tunewright.recipe.schema import UNLABELLED, Recipe

SCHEMA_VERSION = 1
MOST_ROWS = 1_000  # LogME ranks by 400 as by 1,500
MIB = 1 << 20
FP32_BYTES = 4
TUNED = 4  # weights, their gradients, and two moments of the optimizer


def choose(
    source: str | Path,
    *,
    models: Sequence[str] = (),
    settings: Sequence[str] = (),
    **keys: Any,
) -> dict[str, Any]:
    """Rank pre-trained models on training and validation rows, by LogME beside a linear probe.

    Args:
        source: as for `run`; rows that a run would seal are left alone.
        models: names, folders, hub ids; without any, those of the catalog that are on this machine
            or come in a package, and that serve the task.
        settings: recipe settings as `a.b=c`. keys: recipe keys.
    Returns:
        {"schema_version", "task", "metric", "rows", "candidates", "left_out", "best"}; candidates
        are sorted by "log_me", the best first, each with "probe" and "difference" from the best (intervals),
        "knn", "h_score", "log_me", "parameters", "weights_mib", "tuning_mib" (of all layers, without
        activations), "longest_input" (tokens; None for any), "languages", "licence", "rows_per_s" and
        "seconds". left_out: model → why.
    Raises:
        ModelError: no candidate can be ranked; with what is wrong with the first.
    """
    return ranked(read_request(source, keys, settings), models)


def with_model(recipe: Recipe) -> tuple[Recipe, dict[str, str]]:
    """The recipe with a model's name in the place of auto; and why, by key.

    Raises:
        ModelError: as `choose`.
    """
    if recipe.model != "auto":
        return recipe, {}
    found = ranked(recipe, ())
    metric, best = found["metric"], found["candidates"][0]
    others = ", ".join(each["model"] for each in found["candidates"][1:]) or "no other"
    said = f"{number(metric, best['probe']['value'])} {word(metric)} of a probe on the rows"
    why = f"LogME {best['log_me']:.3f}, before {others}; {said}"
    return recipe.model_copy(update={"model": best["model"]}), {"model": why}


def candidates_for(task: str, backend: str) -> tuple[str, ...]:
    """Models of the catalog that serve a task on a backend, and need no hub or are here already."""
    return tuple(
        row["name"]
        for row in list_models()
        if task in row["tasks"]
        and backend in row["backends"]
        and (row["cached"] or row["where"] == "package")
    )


def ranked(recipe: Recipe, models: Sequence[str]) -> dict[str, Any]:
    """See `choose`."""
    with tempfile.TemporaryDirectory() as folder:  # for a seal that nobody will open
        place = make_folder(Path(folder) / "data").parent
        prepared = _fewer(prepare(recipe.data, recipe.seed, place, task=recipe.task), recipe.seed)
    if prepared.kind in UNLABELLED:
        raise ModelError(
            "models are ranked for labels and numbers, and these rows are answers to be written",
            fix="name a model: --model smollm2, a folder or a hub id",
        )
    found, answers, left_out = [], [], {}
    for name in models or candidates_for(prepared.columns.task, recipe.backend):
        try:
            facts, said = _candidate(recipe.model_copy(update={"model": name}), prepared)
        except TunewrightError as error:
            left_out[name] = error.what
            continue
        found.append(facts)
        answers.append(said)
    if not found:
        why = "; ".join(f"{name}: {what}" for name, what in left_out.items())
        raise ModelError(
            f"no candidate for {prepared.columns.task} can be ranked{': ' if why else ''}{why}",
            fix="name others: --models minilm,FOLDER,HUB/ID",
        )
    metric: Any = found[0]["metric"]
    labels = _targets(prepared)

    order = sorted(range(len(found)), key=lambda at: -found[at]["log_me"])
    best = order[0]
    for at in order:
        found[at]["difference"] = paired_difference(
            metric, answers[at], answers[best], labels, seed=recipe.seed
        )
    return {
        "schema_version": SCHEMA_VERSION,
        "task": prepared.columns.task,
        "metric": metric,
        "rows": len(labels),
        "candidates": [found[at] for at in order],
        "left_out": left_out,
        "best": found[best]["model"],
    }


def _longest(adapted: Adapted) -> int | None:
    """Tokens that the model reads of a row; None where none is ever cut."""
    from tunewright.backends.folder import UNBOUNDED

    most = adapted.reader.longest_input
    return None if most is None or most >= UNBOUNDED else most


def _fewer(prepared: Prepared, seed: int) -> Prepared:
    """With at most 1,000 rows of training and validation, drawn."""
    total = len(prepared.train) + len(prepared.validation)
    if total <= MOST_ROWS:
        return prepared
    return replace(
        prepared,
        train=_drawn(prepared.train, MOST_ROWS * len(prepared.train) // total, seed),
        validation=_drawn(prepared.validation, MOST_ROWS * len(prepared.validation) // total, seed),
    )


def _drawn(rows: Rows, count: int, seed: int) -> Rows:
    drawn = np.random.default_rng(seed).permutation(len(rows))[: max(count, 1)]
    return rows.take(np.sort(drawn))


def _targets(prepared: Prepared) -> np.ndarray:
    return np.concatenate([prepared.targets_of("train"), prepared.targets_of("validation")])


def _untried(recipe: Recipe) -> Recipe:
    """Without what a run would try before it trains, and what features do not depend on."""
    train = recipe.train.model_copy(update={"contrastive": "off"})
    return recipe.model_copy(update={"train": train, "augment": Augment()})


def _candidate(recipe: Recipe, prepared: Prepared) -> tuple[dict[str, Any], np.ndarray]:
    """What is known of one model, and what its probe answers for each row out of sample."""
    source = resolve_model(recipe.model, revision=recipe.revision)
    recipe = _untried(recipe)
    started = time.perf_counter()
    adapted = adapt(recipe, source, prepared)
    opened = time.perf_counter()
    parts = computed(adapted)
    if parts is None:
        raise ModelError(f"{recipe.model} has no features of rows", fix="leave it out")
    took = time.perf_counter() - opened
    share(adapted, parts)
    features = np.concatenate(list(parts.values()))
    targets, kind, count = _targets(prepared), prepared.kind, len(prepared.labels)
    keys = np.concatenate([prepared.train.text_keys(), prepared.validation.text_keys()])
    strata = targets if kind == "one" else np.zeros(len(targets), np.int64)
    fold_of = folds(strata, keys, seed=recipe.seed)

    strengths: Sequence[float] = probe.STRENGTHS
    if kind == "one":  # chosen once and not in every fold: of many labels that took the longest
        strengths = (probe.best_strength(features, targets, seed=recipe.seed),)

    def by_probe(known: np.ndarray, learned: np.ndarray) -> Answer:
        return probe.fit(known, learned, kind, count, seed=recipe.seed, strengths=strengths)

    def by_neighbours(known: np.ndarray, learned: np.ndarray) -> Answer:
        return neighbours.fit(known, learned, count, seed=recipe.seed)

    metric = judged_by(cast("str", adapted.recipe.evaluate.metric), adapted.recipe.task)
    probed, voted = (
        cross_validated(fit, features, targets, fold_of) for fit in (by_probe, by_neighbours)
    )
    drawn: dict[str, Any] = {"resamples": recipe.evaluate.resamples, "seed": recipe.seed}
    scores = [bootstrap([metric], said, targets, **drawn)[metric] for said in (probed, voted)]
    columns = np.eye(count)[targets] if kind == "one" else targets.reshape(len(targets), -1)
    return {
        "model": recipe.model,
        "metric": metric,
        "probe": scores[0],
        "knn": scores[1],
        "h_score": h_score(features, targets) if kind == "one" else None,
        "log_me": log_me(features, columns.astype(np.float64)),
        "parameters": adapted.backend.parameters,
        "weights_mib": round(FP32_BYTES * adapted.backend.parameters / MIB, 1),
        "tuning_mib": round(TUNED * FP32_BYTES * adapted.backend.parameters / MIB, 1),
        "longest_input": _longest(adapted),
        "languages": source.languages,
        "licence": source.licence,
        "rows_per_s": round(len(features) / took, 1),
        "seconds": round(time.perf_counter() - started, 2),
    }, probed
