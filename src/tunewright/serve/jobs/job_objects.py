"""Jobs, events and checkpoints as the API shows them."""

from __future__ import annotations

from typing import Any

from tunewright.serve.store import Row

METRICS = (
    "train_loss",
    "train_mean_token_accuracy",
    "valid_loss",
    "valid_mean_token_accuracy",
    "full_valid_loss",
    "full_valid_mean_token_accuracy",
)


def job_object(row: Row, organization: str) -> dict[str, Any]:
    """The job, with every field that the API requires, null where there is nothing to say."""
    method = row["method"]
    numbers = dict(method[method["type"]]["hyperparameters"])
    numbers.pop("beta", None)
    keys = (
        "id",
        "created_at",
        "finished_at",
        "model",
        "fine_tuned_model",
        "status",
        "training_file",
        "validation_file",
        "result_files",
        "trained_tokens",
        "error",
        "seed",
        "estimated_finish",
        "metadata",
        "method",
    )
    return {
        "object": "fine_tuning.job",
        **{key: row[key] for key in keys},
        "hyperparameters": numbers,
        "organization_id": f"org-{organization}",
        "user_provided_suffix": row["suffix"],
        "integrations": [],
    }


def event_object(row: Row) -> dict[str, Any]:
    """An event; `data` is an object also where it says nothing."""
    keys = ("id", "created_at", "level", "message", "type")
    return {
        "object": "fine_tuning.job.event",
        **{key: row[key] for key in keys},
        "data": row["data"] or {},
    }


def checkpoint_object(row: Row) -> dict[str, Any]:
    """A checkpoint; metrics that were not measured are left out."""
    known = {name: row["metrics"].get(name) for name in METRICS}
    return {
        "object": "fine_tuning.job.checkpoint",
        "id": row["id"],
        "created_at": row["created_at"],
        "fine_tuned_model_checkpoint": row["model"],
        "fine_tuning_job_id": row["job"],
        "step_number": row["step"],
        "metrics": {"step": row["step"]}
        | {name: value for name, value in known.items() if value is not None},
    }
