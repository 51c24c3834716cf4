"""`tunewright import-openai`: old jobs become recipes and data files of their own."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tunewright.durable import make_folder, write_bytes, write_text
from tunewright.errors import RecipeError, TunewrightError
from tunewright.moving.jobs import AtService, Exported, Job, Jobs
from tunewright.moving.tasks import misfit, refuse_no_model, refuse_nothing_fits, task_of
from tunewright.moving.translated import DPO, SUPERVISED, method_of, translated
from tunewright.moving.written import recipe_text
from tunewright.pretrained.listing import show_model
from tunewright.recipe.load import load_recipe
from tunewright.recipe.own_rate import own_rate

SCHEMA_VERSION = 1
METHODS = (SUPERVISED, DPO)
MOST_S, REFUSED_S = 60.0, 3.0
"""Waited for an answer, and for somebody to listen at all: someone sits before this command."""
MODEL = "smollm2"
GENERATION = "text-generation"


def import_openai(
    source: str | Path | None = None,
    *,
    out: str | Path = "moved",
    model: str = MODEL,
    base_url: str = "https://api.openai.com/v1",
    key: str = "OPENAI_API_KEY",
) -> dict[str, Any]:
    """Write a recipe for each old job that can be trained here, with its data beside it.

    Args:
        source: a folder with exported jobs and files; None to ask the service itself.
        out: a folder for the recipes; those that are there already are kept as they are.
        model: an open model to train in the place of the service's.
        base_url, key: of the service, and the name of the environment variable with its key.
    Returns:
        {"schema_version", "recipes": [{"job", "recipe", "notes", "missing"}], "left_out": {job: why}};
        `missing` is {file id: where to put it} of what the recipe needs and nobody has.
    Raises:
        DataError, RunError: there are no jobs. RecipeError: no such folder, or no key.
        ModelError: no such model, or it fits none of the jobs.
    """
    refuse_no_model(model)
    jobs = _jobs(source, base_url, key)
    place = Path(out).expanduser().absolute()
    moved: list[dict[str, Any]] = []
    left_out: dict[str, str] = {}
    unfitting: dict[str, str] = {}
    for job in jobs.all():
        why = unfit(job)
        if why is not None:
            left_out[str(job["id"])] = why
            continue
        folder = place / str(job["id"])
        content = _content(job.get("training_file"), folder / "train.jsonl", jobs)
        task = task_of(job, content)
        why = misfit(model, task)
        if why is not None:
            unfitting[str(job["id"])] = why
            continue
        moved.append(_move(job, jobs, make_folder(folder), model, task, content))
    if not moved:
        refuse_nothing_fits(model, unfitting)
    left_out |= unfitting
    return {"schema_version": SCHEMA_VERSION, "recipes": moved, "left_out": left_out}


def unfit(job: Job) -> str | None:
    """Why a job is not moved, None where it is."""
    method = method_of(job)
    if method not in METHODS:
        return f"its method is {method}, which is not moved: supervised and dpo are"
    if job.get("status") != "succeeded":
        return f"it has not succeeded: it is {job.get('status')}"
    return None


def _jobs(source: str | Path | None, base_url: str, key: str) -> Jobs:
    if source is None:
        from tunewright.backends.openai.connection import connect
        from tunewright.backends.openai.refusals import Words

        words = Words("--key", "--base-url", "the same command again")
        connection = connect(base_url, key, words=words)
        patience = replace(connection.patience, most_s=MOST_S, refused_s=REFUSED_S)
        return AtService(replace(connection, patience=patience))
    folder = Path(source).expanduser()
    if not folder.is_dir():
        raise RecipeError(
            f"there is no folder {folder}", fix="name a folder with exported jobs, or leave it out"
        )
    return Exported(folder)


def _move(
    job: Job, jobs: Jobs, folder: Path, model: str, task: str, content: bytes | None
) -> dict[str, Any]:
    """Write what is not there yet; a recipe that someone changed stays as it is."""
    notes: list[str] = []
    missing: dict[str, str] = {}
    values: dict[str, Any] = {"task": task, "model": model}
    labelled = (
        ", and its rows have labels" if task.startswith("text-") and task != GENERATION else ""
    )
    reasons = {
        "task": f"the method of the job is {method_of(job)}{labelled}",
        "model": f"the weights of {job.get('model')} are not given away; any open model fits here",
    }
    found = translated(job, own_rate=_own_rate(model, method_of(job)))
    values |= {key: value for key, value in found.values.items() if "." not in key}
    validation = job.get("validation_file")
    also = _content(validation, folder / "validation.jsonl", jobs)
    _keep(job.get("training_file"), content, folder / "train.jsonl", values, missing)
    _keep(validation, also, folder / "validation.jsonl", values, missing)
    lost = [f"the file {file} is not to be had: put it at {at}" for file, at in missing.items()]
    notes += lost
    values |= {key: value for key, value in found.values.items() if "." in key}
    if "data.validation" not in values:
        notes.append("the job had no validation file: a part of its rows is put apart for that")
    recipe = folder / "recipe.yaml"
    if recipe.exists():
        notes = ["the recipe was there already, and is as it was", *lost]
    else:
        write_text(recipe, recipe_text(_head(job, notes), values, {**reasons, **found.reasons}))
    load_recipe(recipe)  # what is written can be run
    return {"job": job["id"], "recipe": str(recipe), "notes": notes, "missing": missing}


def _content(file_id: Any, path: Path, jobs: Jobs) -> bytes | None:
    """What is in a file: as it was put there before, else as the jobs' place has it."""
    if not file_id:
        return None
    return path.read_bytes() if path.exists() else jobs.content(str(file_id))


def _keep(
    file_id: Any,
    content: bytes | None,
    path: Path,
    values: dict[str, Any],
    missing: dict[str, str],
) -> None:
    """Put a file beside the recipe, and into it; a part for validation can be done without."""
    if content is not None and not path.exists():
        write_bytes(path, content)
    if file_id and content is None:
        missing[str(file_id)] = str(path)
    if content is not None or path.stem == "train":
        values[f"data.{path.stem}"] = str(path)


def _own_rate(model: str, method: str) -> float | None:
    """What a run would choose for a model that is on this machine; None for one that is not."""
    try:
        width = show_model(model)["config"].get("hidden_size")
    except TunewrightError:
        return None
    if not isinstance(width, int):
        return None
    return own_rate(width, adapters=True, preference=method == DPO)


def _head(job: Job, notes: list[str]) -> list[str]:
    when = datetime.fromtimestamp(float(job.get("created_at") or 0), UTC).date()
    return [
        f"Made from job {job['id']} of {when}: {method_of(job)} on {job.get('model')},",
        f"which became {job.get('fine_tuned_model')}.",
        *notes,
    ]
