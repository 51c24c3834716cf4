"""Few rows of texts: the head is solved, and a contrastive phase is tried on rows left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tunewright.backends import probe
from tunewright.backends.settings import Part
from tunewright.errors import RecipeError
from tunewright.recipe.defaults import Choice
from tunewright.recipe.schema import Recipe
from tunewright.train.balanced import contrastive_batches
from tunewright.train.batches import draw_key
from tunewright.train.phases import PhasePlan, contrastive_phase, deepest
from tunewright.train.schedule import rate_at_step

FEW, FEW_IN_ALL = 64, 500  # rows of a class, and of all: with more, steps are as good
FOLDS = 2  # more would take longer than the phase itself
ENOUGH = 100  # rows that were left out tell the two apart
KEY = "train.contrastive"


def few_rows(recipe: Recipe, counts: Sequence[int]) -> str | None:
    """Why the head alone is solved, where rows are few and what is done with them is left open.

    Args:
        recipe: with its task; counts: training rows of each label.
    """
    train = recipe.train
    open_to_all = train.strategy == train.epochs == "auto" and train.phases is None
    whole = recipe.adapt.method in ("auto", "full") and not recipe.adapt.adapter_keys
    fit = recipe.task == "text-classification" and recipe.backend == "torch"
    middle = int(np.median(counts)) if counts else 0
    if not (open_to_all and whole and fit and 0 < middle <= FEW and sum(counts) <= FEW_IN_ALL):
        return None
    return f"{middle} rows of a class (up to {FEW}) would be learned by heart"


def choose_pooling(recipe: Recipe, session: Any, *, few: bool) -> Choice:
    """The mean of all tokens for few rows, where a sentence encoder was trained on it.

    Raises:
        RecipeError: it is asked for on a model that cannot have it.
    """
    key, asked = "adapt.pooling", recipe.adapt.pooling
    if asked == "mean" and not session.can_read_mean:
        raise RecipeError(
            "adapt.pooling is mean, which is for texts with labels, backend torch, and models like "
            "BERT",
            fix="take adapt.pooling out",
        )
    if asked != "auto":
        return key, asked, "asked for"
    if few and session.was_trained_on_mean:
        return key, "mean", "few rows, and so this sentence encoder was trained"
    return key, "model", "the head of such models" if few else "enough rows to learn what to read"


def choose_contrastive(recipe: Recipe, backend: Any, *, few: bool) -> Choice:
    """With few rows yes, unless rows left out speak against it.

    Args:
        recipe: resolved, but for this.
        backend: nothing has learned yet; it is tried, and left as it was.
    Raises:
        RecipeError: it is asked for where it cannot be.
    """
    asked = recipe.train.contrastive
    part: Part = backend.parts["train"]
    unfit = _unfit(recipe, part)
    if asked == "on" and unfit:
        raise RecipeError(f"{KEY} is on, but {unfit}", fix=f"take {KEY} out")
    if asked != "auto":
        return KEY, asked, "asked for"
    if not few:
        return KEY, "off", "for few rows, where neither strategy, phases nor epochs are given"
    if unfit:
        return KEY, "off", unfit
    alone, beside = _tried(recipe, backend)
    return (
        KEY,
        "on" if speaks_for(alone, beside) else "off",
        f"of {len(alone)} training rows left out in turn, {beside.sum()} were right with it, "
        f"{alone.sum()} with a solved head alone",
    )


def speaks_for(alone: np.ndarray, beside: np.ndarray) -> bool:
    """Whether rows do not speak against the phase: it is no worse by more than a standard error.

    On most data that it was measured on it is better, by less than so few rows can show.

    Args:
        alone, beside: bool (rows), which are right without it, and with it.
    """
    lost, won = (alone & ~beside).sum(), (beside & ~alone).sum()
    return bool(lost - won <= np.sqrt(lost + won))


def _unfit(recipe: Recipe, part: Part) -> str | None:
    """Why there can be no such phase, if so."""
    if recipe.task != "text-classification":
        return "it is for texts with one label each"
    if recipe.backend != "torch":
        return f"backend {recipe.backend} does not have it"
    if recipe.adapt.method == "head":
        return "adapt.method is head, and it trains blocks"
    if recipe.train.accumulate > 1:
        return "it compares all rows of a batch, and train.accumulate computes them in parts"
    if (np.bincount(part.targets[: part.rows]) > 1).sum() < 2:
        return "fewer than two classes have two training rows"
    return None


def _tried(recipe: Recipe, backend: Any) -> tuple[np.ndarray, np.ndarray]:
    """bool (rows left out): which were right by a solved head, and by one after the phase."""
    part: Part = backend.parts["train"]
    labels = part.targets[: part.rows]
    phase = contrastive_phase(recipe.train, deepest(recipe.adapt.layers, backend.num_blocks))
    untouched = backend.features("train", phase.blocks)[: part.rows]
    found: list[np.ndarray] = []
    for left_out in folds(labels, recipe.seed):
        rest = np.setdiff1d(np.arange(part.rows), left_out)
        backend.keep_best()
        _contrast(backend, phase, recipe, rest)
        taught = backend.features("train", phase.blocks)[: part.rows]
        backend.begin_anew()
        both = [_right(each, labels, rest, left_out, recipe.seed) for each in (untouched, taught)]
        found.append(np.stack(both))
        if sum(each.shape[1] for each in found) >= ENOUGH:
            break
    alone, beside = np.concatenate(found, axis=1)
    return alone, beside


def folds(targets: np.ndarray, seed: int) -> list[np.ndarray]:
    """Every row in one fold, each class dealt out evenly."""
    random = np.random.default_rng(draw_key("folds", seed))
    order = random.permutation(len(targets))
    dealt = order[np.argsort(targets[order], kind="stable")]
    return [np.sort(dealt[first::FOLDS]) for first in range(FOLDS)]


def _right(
    features: np.ndarray, labels: np.ndarray, rest: np.ndarray, left_out: np.ndarray, seed: int
) -> np.ndarray:
    """bool (rows left out): which are right by a head that is solved on the rest."""
    shares = probe.shares(
        features[rest], labels[rest], int(labels.max()) + 1, features[left_out], seed=seed
    )
    return np.asarray(shares.argmax(axis=1) == labels[left_out])


def _contrast(backend: Any, phase: PhasePlan, recipe: Recipe, rest: np.ndarray) -> None:
    """The steps of the phase on some rows, as the loop would do them."""
    train: Any = recipe.train
    backend.start_phase(phase)
    classes, size = backend.parts["train"].targets[rest], phase.rows_of_step(train.batch_size)
    steps = [
        rest[rows]
        for epoch in range(phase.epochs)
        for rows in contrastive_batches(classes, size, seed=recipe.seed, epoch=epoch)
    ]
    for step, rows in enumerate(steps):
        rate = rate_at_step(step, len(steps), warmup=train.warmup, shape=train.schedule)
        backend.train_step([rows], rate=rate, draw=draw_key("trial", recipe.seed, step))
