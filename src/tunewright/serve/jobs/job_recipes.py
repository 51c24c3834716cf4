"""A job as an ordinary run: its folder, its recipe, and its own copy of the files."""

from __future__ import annotations

import hashlib
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from tunewright.durable import disk_errors, fsync_folder, make_folder
from tunewright.history.folder import create_run, runs_folder
from tunewright.history.state import STATE_FILE
from tunewright.pretrained.catalog import resolve_model
from tunewright.pretrained.folder import check_folder
from tunewright.recipe.defaults import Facts, choose_rates, with_method
from tunewright.recipe.load import build_recipe
from tunewright.recipe.schema import TASKS, Recipe
from tunewright.recipe.write import as_yaml
from tunewright.serve.store import Row

FILES = "files"
PARTS = {"training_file": "train", "validation_file": "validation"}
NAMES = {"training_file": "training.jsonl", "validation_file": "validation.jsonl"}
ALLOWED = ["leak", "near-leak", "contradictory-label"]
"""Findings that a service does not stop for; they are told as warnings."""


def folder_of(job: Row) -> Path:
    """Where the run of a job is or will be: the same for the same job, whoever asks."""
    when = datetime.fromtimestamp(job["created_at"], UTC).strftime("%Y%m%d-%H%M%S")
    name = job["id"].removeprefix("ftjob-").lower()
    digest = hashlib.sha256(job["id"].encode()).hexdigest()[:6]
    return runs_folder() / f"{when}-{name}-{digest}"


def begin_run(job: Row, model: str, files: dict[str, Path]) -> Path:
    """Make the run's folder and copy the job's files into it, as far as that is not done.

    Args:
        model: as a recipe names it. files: training_file and, if any, validation_file.
    Raises:
        TunewrightError: the model cannot be had, or the recipe not be made.
    """
    folder = folder_of(job)
    if not (folder / STATE_FILE).is_file():
        recipe = recipe_of(job, model, folder, has_validation="validation_file" in files)
        create_run(job["id"], as_yaml(recipe, {}), folder=folder)
    for param, source in files.items():
        _take(source, make_folder(folder / FILES) / NAMES[param])
    return folder


def recipe_of(job: Row, model: str, folder: Path, *, has_validation: bool) -> Recipe:
    """What the job asks for, in the words of a recipe.

    All rows are trained on; what is given for validation is measured after each epoch, and the
    best epoch's weights are the model. Nothing stops early, and there is one phase, unless the
    job's settings say otherwise: the epochs are what was asked for.
    """
    numbers = job["method"][job["method"]["type"]]["hyperparameters"]
    train: dict[str, Any] = {"early_stopping": 0, "evaluations_per_epoch": 1}
    for key, name in (("epochs", "n_epochs"), ("batch_size", "batch_size"), ("beta", "beta")):
        if numbers.get(name, "auto") != "auto":
            train[key] = numbers[name]
    data: dict[str, Any] = {
        "train": str(folder / FILES / NAMES["training_file"]),
        "too_long": "cut",
        "allow": ALLOWED,
        "split": {"test": 0, "validation": 0},
    }
    if has_validation:
        data["validation"] = str(folder / FILES / NAMES["validation_file"])
    content = {
        "task": job["extension"]["task"],
        "name": job["id"],
        "seed": job["seed"],
        "model": model,
        "data": data,
        "train": train,
        "evaluate": {"answers": 0, "forgetting": "off"},
    }
    recipe = in_one_phase(build_recipe(content, job["extension"]["settings"]))
    times = numbers["learning_rate_multiplier"]
    if times in ("auto", 1.0):
        return recipe
    return with_rate(recipe, float(times))


def in_one_phase(recipe: Recipe) -> Recipe:
    """The recipe with the strategy whose epochs are passes over the rows, unless one was asked for.

    `auto` would run the epochs in each of several phases, or solve the head of few rows without any.
    """
    if "strategy" in recipe.train.model_fields_set:
        return recipe
    strategy = "head" if recipe.adapt.method == "head" else "full"
    return recipe.model_copy(
        update={"train": recipe.train.model_copy(update={"strategy": strategy})}
    )


def with_rate(recipe: Recipe, times: float) -> Recipe:
    """The recipe with so many times the learning rate that it would choose."""
    source = resolve_model(recipe.model)
    config = check_folder(source.path).config
    width = int(config.get("hidden_size", 0) or config.get("d_model", 0) or 512)
    kind = TASKS[recipe.task]
    known, _ = with_method(recipe, kind)
    facts = Facts(kind, np.zeros(1, np.int64), (), None, width)
    rates = choose_rates(known.train, facts, adapters=known.adapt.has_adapters)
    chosen: Any = {key: value for key, value, _ in rates}["train.learning_rate"]
    rate = float(f"{times * chosen:.6g}")
    return recipe.model_copy(
        update={"train": recipe.train.model_copy(update={"learning_rate": rate})}
    )


def _take(source: Path, place: Path) -> None:
    """A second name for the same bytes, or a copy: the file may be deleted while the job waits."""
    if place.exists():
        return
    staged = place.with_name(f".{place.name}.tmp")
    staged.unlink(missing_ok=True)
    with disk_errors(place):
        try:
            os.link(source, staged)
        except OSError:
            shutil.copyfile(source, staged)
        os.replace(staged, place)
        fsync_folder(place.parent)
