"""What the stand-in keeps: files, jobs and their events."""

from __future__ import annotations

import base64
import itertools
import time
from dataclasses import dataclass, field
from typing import Any

from openai_service.model import rows_of

SCRIPT = ("validating_files", "queued", "running", "running", "succeeded")
NULLS = {"code": None, "message": None, "param": None}


@dataclass
class Store:
    """All state.

    Args:
        script: states that a job goes through, one at each look; the last one stays.
        failure: the error of a job that fails. base64_results: as hosted. null_errors: an object of
            nulls on healthy jobs. has_more: whether lists tell. honours_after: whether a list goes on.
        shuffled: events of each look come in a wrong order.
    """

    script: tuple[str, ...] = SCRIPT
    failure: dict[str, Any] = field(
        default_factory=lambda: {
            "code": "server_error",
            "message": "The job failed due to an internal error",
            "param": None,
        }
    )
    base64_results: bool = True
    null_errors: bool = True
    has_more: bool = True
    honours_after: bool = True
    shuffled: bool = False
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    events: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    checkpoints: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    looks: dict[str, int] = field(default_factory=dict)
    models: dict[str, str] = field(default_factory=dict)  # name → training file
    counter: Any = field(default_factory=lambda: itertools.count(1))

    def new_id(self, kind: str) -> str:
        return f"{kind}{next(self.counter):06d}"

    def add_file(self, name: str, content: bytes, purpose: str) -> dict[str, Any]:
        found = {
            "id": self.new_id("file-"),
            "object": "file",
            "bytes": len(content),
            "created_at": int(time.time()),
            "filename": name,
            "purpose": purpose,
            "status": "processed",
            "status_details": None,
            "expires_at": None,
        }
        self.files[found["id"]], self.contents[found["id"]] = found, content
        return found

    def add_job(self, body: dict[str, Any]) -> dict[str, Any]:
        method = body.get("method") or {
            "type": "supervised",
            "supervised": {"hyperparameters": body.get("hyperparameters") or {}},
        }
        numbers = method[method["type"]].get("hyperparameters") or {}
        job_id = self.new_id("ftjob-")
        self.jobs[job_id] = {
            "id": job_id,
            "object": "fine_tuning.job",
            "created_at": int(time.time()),
            "error": dict(NULLS) if self.null_errors else None,
            "finished_at": None,
            "fine_tuned_model": None,
            "hyperparameters": {
                "n_epochs": "auto",
                "batch_size": "auto",
                "learning_rate_multiplier": "auto",
            }
            | numbers,
            "model": body["model"],
            "organization_id": "org-1",
            "result_files": [],
            "seed": body.get("seed") or 0,
            "status": self.script[0],
            "trained_tokens": None,
            "training_file": body["training_file"],
            "validation_file": body.get("validation_file"),
            "metadata": body.get("metadata"),
            "method": method,
            "suffix": body.get("suffix"),
        }
        self.events[job_id], self.checkpoints[job_id], self.looks[job_id] = [], [], 0
        self.tell(job_id, f"Created fine-tuning job: {job_id}")
        return self.jobs[job_id]

    def tell(self, job_id: str, message: str, **data: Any) -> None:
        self.events[job_id].append(
            {
                "id": self.new_id("ftevent-"),
                "object": "fine_tuning.job.event",
                "created_at": int(time.time()),
                "level": "info",
                "message": message,
                "type": "metrics" if data else "message",
                "data": data,
            }
        )

    def look(self, job_id: str) -> dict[str, Any]:
        """The job; each look brings it to its next state."""
        job = self.jobs[job_id]
        if job["status"] in ("succeeded", "failed", "cancelled"):
            return job
        self.looks[job_id] += 1
        state = self.script[min(self.looks[job_id], len(self.script) - 1)]
        if state == "running":
            self._step(job)
        if state == "failed" and job["status"] != "failed":
            job |= {"error": self.failure, "finished_at": int(time.time())}
        if state == "succeeded":
            self._succeed(job)
        job["status"] = state
        return job

    def _step(self, job: dict[str, Any]) -> None:
        step = self.looks[job["id"]]
        job["hyperparameters"] |= {
            key: value
            for key, value in (
                ("n_epochs", 3),
                ("batch_size", 1),
                ("learning_rate_multiplier", 1.8),
            )
            if job["hyperparameters"][key] == "auto"
        }
        loss, other = 2.0 / step, 2.2 / step
        said = f"Step {step}/20: training loss={loss:.2f}, validation loss={other:.2f}"
        self.tell(job["id"], said, step=step, total_steps=20, train_loss=loss, valid_loss=other)

    def _succeed(self, job: dict[str, Any]) -> None:
        name = f"ft:{job['model']}:org-1:{job['suffix'] or ''}:{job['id'][-6:]}00"
        table = (
            b"step,train_loss,train_accuracy,valid_loss,valid_mean_token_accuracy\n1,2.0,0.4,2.2,\n"
        )
        results = self.add_file(
            "step_metrics.csv",
            base64.b64encode(table) if self.base64_results else table,
            "fine-tune-results",
        )
        job |= {
            "fine_tuned_model": name,
            "finished_at": int(time.time()),
            "trained_tokens": 1234,
            "result_files": [results["id"]],
        }
        self.models[name] = job["training_file"]
        for step in (10, 20):
            found = {
                "id": self.new_id("ftckpt_"),
                "object": "fine_tuning.job.checkpoint",
                "created_at": int(time.time()),
                "fine_tuned_model_checkpoint": f"{name}:ckpt-step-{step}",
                "fine_tuning_job_id": job["id"],
                "step_number": step,
                "metrics": {"step": step, "train_loss": 2.0 / step},
            }
            self.checkpoints[job["id"]].append(found)
        self.tell(job["id"], f"New fine-tuned model created: {name}")
        self.tell(job["id"], "The job has successfully completed")

    def learned(self, model: str) -> Any:
        """What a model knows: rows, None of an untouched one. Raises KeyError for no such model."""
        if model in self.models:
            return rows_of(self.contents[self.models[model]])
        if model.startswith("ft:"):
            raise KeyError(model)
        return None
