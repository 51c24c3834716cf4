"""`tunewright import-openai`: old jobs become recipes and data files of their own."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tunewright.durable import make_folder, write_bytes, write_text
from tunewright.errors import RecipeError, TunewrightError
from tunewright.moving.jobs import AtService, Exported, Job, Jobs
from tunewright.moving.translated import DPO, SUPERVISED, method_of, translated
from tunewright.moving.written import recipe_text
from tunewright.pretrained.listing import show_model
from tunewright.recipe.load import load_recipe
from tunewright.recipe.own_rate import own_rate

SCHEMA_VERSION = 1
TASKS = {SUPERVISED: "text-generation", DPO: "preference"}
MODEL = "smollm2"


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
        {"schema_version", "recipes": [{"job", "recipe", "notes"}], "left_out": {job: why}}.
    Raises:
        DataError, RunError: there are no jobs. RecipeError: no such folder, or no key.
    """
    jobs = _jobs(source, base_url, key)
    place = Path(out).expanduser().absolute()
    moved: list[dict[str, Any]] = []
    left_out: dict[str, str] = {}
    for job in jobs.all():
        why = unfit(job)
        if why is not None:
            left_out[str(job["id"])] = why
            continue
        moved.append(_move(job, jobs, make_folder(place / str(job["id"])), model))
    return {"schema_version": SCHEMA_VERSION, "recipes": moved, "left_out": left_out}


def unfit(job: Job) -> str | None:
    """Why a job is not moved, None where it is."""
    method = method_of(job)
    if method not in TASKS:
        return f"its method is {method}, which is not moved: supervised and dpo are"
    if job.get("status") != "succeeded":
        return f"it has not succeeded: it is {job.get('status')}"
    return None


def _jobs(source: str | Path | None, base_url: str, key: str) -> Jobs:
    if source is None:
        from tunewright.backends.openai.connection import connect

        return AtService(connect(base_url, key))
    folder = Path(source).expanduser()
    if not folder.is_dir():
        raise RecipeError(
            f"there is no folder {folder}", fix="name a folder with exported jobs, or leave it out"
        )
    return Exported(folder)


def _move(job: Job, jobs: Jobs, folder: Path, model: str) -> dict[str, Any]:
    """Write what is not there yet; a recipe that someone changed stays as it is."""
    notes: list[str] = []
    values: dict[str, Any] = {"task": TASKS[method_of(job)], "model": model}
    reasons = {
        "task": f"the method of the job is {method_of(job)}",
        "model": f"the weights of {job.get('model')} are not given away; any open model fits here",
    }
    found = translated(job, own_rate=_own_rate(model, method_of(job)))
    values |= {key: value for key, value in found.values.items() if "." not in key}
    for part, name in (("train", "training_file"), ("validation", "validation_file")):
        _fetch(job.get(name), part, jobs, folder, values, notes)
    values |= {key: value for key, value in found.values.items() if "." in key}
    if "data.validation" not in values:
        notes.append("the job had no validation file: a part of its rows is put apart for that")
    recipe = folder / "recipe.yaml"
    if recipe.exists():
        notes = ["the recipe was there already, and is as it was"]
    else:
        write_text(recipe, recipe_text(_head(job, notes), values, {**reasons, **found.reasons}))
    load_recipe(recipe)  # what is written can be run
    return {"job": job["id"], "recipe": str(recipe), "notes": notes}


def _fetch(
    file_id: Any, part: str, jobs: Jobs, folder: Path, values: dict[str, Any], notes: list[str]
) -> None:
    if not file_id:
        return
    path = folder / f"{part}.jsonl"
    if not path.exists():
        content = jobs.content(str(file_id))
        if content is None:
            notes.append(f"the {part} file {file_id} is not to be had: put it at {path}")
            if part == "validation":
                return
        else:
            write_bytes(path, content)
    values[f"data.{part}"] = str(path)


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
