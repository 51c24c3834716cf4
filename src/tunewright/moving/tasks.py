"""What an old job trained, and whether the model in its place can learn that."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tunewright.errors import ModelError
from tunewright.moving.jobs import Job
from tunewright.moving.translated import DPO, method_of
from tunewright.pretrained.hub import is_hub_id
from tunewright.pretrained.named import LIST_FIX, find_entry, find_source, unknown

WRITES = ("text-generation", "preference")
LABELS = "text-classification"
SAID = "tunewright:task"
"""In the metadata of a job at `tunewright serve`."""


def task_of(job: Job, content: bytes | None) -> str:
    """The task: as metadata say, or as the rows have labels and no conversation.

    Args:
        content: of the training file; None where it is not to be had.
    """
    if method_of(job) == DPO:
        return "preference"
    said = (job.get("metadata") or {}).get(SAID)
    if said:
        return str(said)
    row = _first_row(content or b"")
    if "messages" in row or not {"text", "label"} <= set(row):
        return "text-generation"
    if isinstance(row["label"], list):
        return "text-multi-label"
    is_number = isinstance(row["label"], int | float) and not isinstance(row["label"], bool)
    return "text-regression" if is_number else LABELS


def _first_row(content: bytes) -> Mapping[str, Any]:
    try:
        row = json.loads(next(iter(content.splitlines()), b"{}"))
    except ValueError:
        return {}
    return row if isinstance(row, dict) else {}


def refuse_no_model(model: str) -> None:
    """Raise ModelError for what is no catalog name, folder, address or hub id with its owner."""
    place = Path(model).expanduser()
    if find_entry(model) or find_source(model) or place.is_dir() or place.is_file():
        return
    if "/" not in model or not is_hub_id(model):
        raise unknown(model, "no hub id, which is owner/name", fix=LIST_FIX)


def misfit(model: str, task: str) -> str | None:
    """Why a catalog model cannot learn a task; None where it can, or where nothing is known of it."""
    entry = find_entry(model)
    if entry is None:
        return None
    if task in WRITES:
        if set(WRITES) & set(entry.tasks):
            return None
        return f"it trains a model that writes text, and {model} does not: --model smollm2"
    if LABELS in entry.tasks:
        return None
    return f"its rows are texts with labels ({task}), which {model} does not learn: --model minilm"


def refuse_nothing_fits(model: str, left_out: Mapping[str, str]) -> None:
    """Raise ModelError where the model is why no job at all was moved.

    Args:
        left_out: job → why, of the model alone.
    """
    for job, why in left_out.items():
        said, _, fix = why.rpartition(": ")
        raise ModelError(f"{model} fits none of the jobs; of {job}: {said}", fix=f"give {fix}")
