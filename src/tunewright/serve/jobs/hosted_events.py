"""What a run says in events.jsonl, told as the events and checkpoints of its job.

Reading goes on where it ended. A kill in between tells some things again, which changes nothing:
every event has a name under which it is told once.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from tunewright.serve.identifiers import new_id
from tunewright.serve.jobs.job_process import KEPT, MODELS
from tunewright.serve.jobs.job_recipes import FILES
from tunewright.serve.jobs.jobs import add_event
from tunewright.serve.jobs.leases import Lease, write
from tunewright.serve.jobs.tuned_names import name_of_step
from tunewright.serve.store import Row, Store
from tunewright.serve.tables import checkpoints, events, jobs, models

Event = dict[str, Any]


@dataclass(frozen=True)
class Step:
    """A step of training, with what validation said right after it, if it was asked."""

    step: int
    loss: float
    time: float
    scores: dict[str, float] | None = None


def tell(store: Store, lease: Lease, run: Path, *, is_over: bool = False) -> int:
    """Tell what is new, in one transaction; how many steps there were among it.

    Args:
        is_over: whether no more will come; else the last step waits for what follows it.
    Raises:
        LostError: the job is not held any more.
    """
    with store.writing() as connection:
        row = connection.execute(select(jobs).where(jobs.c.id == lease.job)).mappings().one()
        job = dict(row)
        come, place = _read(run / "events.jsonl", job["told"], is_over=is_over)
        if place == job["told"]:
            return 0
        total = _total(come, run)
        num_steps = 0
        for told in _joined(come):
            if isinstance(told, Step):
                _tell_step(connection, job, told, total)
                num_steps += 1
            else:
                _tell_other(connection, lease, job, told, run)
        crashes = 0 if num_steps else job["crashes"]
        write(connection, lease, told=place, crashes=crashes, **_finish(come, total))
    return num_steps


def _read(path: Path, start: int, *, is_over: bool) -> tuple[list[Event], int]:
    """The whole lines behind a byte, and the byte behind them; a last step waits."""
    if not path.is_file():
        return [], start
    with path.open("rb") as file:
        file.seek(start)
        lines = file.read().split(b"\n")[:-1]
    come = [json.loads(line) for line in lines]
    if come and come[-1]["event"] == "steps" and not is_over:
        come, lines = come[:-1], lines[:-1]
    return come, start + sum(len(line) + 1 for line in lines)


def _joined(come: list[Event]) -> Iterator[Step | Event]:
    """Steps one by one, the last before an evaluation with its scores; the others as they are."""
    for number, event in enumerate(come):
        if event["event"] != "steps":
            yield event
            continue
        losses = event["losses"]
        first = event["step"] - len(losses) + 1
        after = come[number + 1] if number + 1 < len(come) else {"event": None}
        scores = (
            after["scores"]
            if after["event"] == "evaluated" and after["step"] == event["step"]
            else None
        )
        for place, loss in enumerate(losses):
            is_last = place == len(losses) - 1
            yield Step(first + place, loss, event["time"], scores if is_last else None)


def _total(come: list[Event], run: Path) -> int:
    """Steps of the whole run: it says so before the first."""
    for event in (*come, *_plans(run / "events.jsonl")):
        if event["event"] == "job_plan":
            return int(event["steps"])
    return 0


def _plans(path: Path) -> Iterator[Event]:
    with path.open("rb") as file:
        for line in file:
            if line.startswith(b'{"event": "job_plan"') and line.endswith(b"\n"):
                yield json.loads(line)


def _finish(come: list[Event], total: int) -> dict[str, int]:
    """When the last step is done, at the speed so far, as far as the newest steps tell it.

    >>> steps = {"event": "steps", "step": 5, "phase_step": 5, "phase_steps": 10, "left_s": 10.0}
    >>> _finish([steps | {"time": 1000.0}], 20)
    {'estimated_finish': 1030}
    """
    for event in reversed(come):
        if event["event"] != "steps":
            continue
        left = event["phase_steps"] - event["phase_step"]
        later = total - event["step"] - left
        if left <= 0 < later:
            break  # a phase has ended, and the next has no speed yet
        step_s = event["left_s"] / left if left else 0.0
        return {"estimated_finish": round(event["time"] + event["left_s"] + later * step_s)}
    return {}


def _tell_step(connection: Connection, job: Row, step: Step, total: int) -> None:
    data: dict[str, Any] = {
        "step": step.step,
        "total_steps": total,
        "train_loss": step.loss,
        "train_mean_token_accuracy": None,
        "valid_loss": None,
        "valid_mean_token_accuracy": None,
        "full_valid_loss": None,
        "full_valid_mean_token_accuracy": None,
    }
    message = f"Step {step.step}/{total}: training loss={step.loss:.2f}"
    if step.scores is not None:
        loss = _first(step.scores, "loss", "log_loss", "rmse")
        accuracy = _first(step.scores, "token_accuracy", "preference_accuracy", "accuracy")
        for each in ("valid", "full_valid"):  # every look is at all validation rows
            data[f"{each}_loss"] = loss
            data[f"{each}_mean_token_accuracy"] = accuracy
        if loss is not None:
            message += f", validation loss={loss:.2f}, full validation loss={loss:.2f}"
    add_event(
        connection,
        job["id"],
        f"step-{step.step}",
        message,
        kind="metrics",
        data=data,
        created_at=step.time,
    )


def _first(scores: dict[str, float], *names: str) -> float | None:
    return next((round(scores[name], 5) for name in names if name in scores), None)


def _tell_other(connection: Connection, lease: Lease, job: Row, event: Event, run: Path) -> None:
    kind = event["event"]
    if kind == "job_plan":
        _set_numbers(connection, lease, job, event)
    elif kind == "model_saved":
        _tell_checkpoint(connection, job, event, run)
    else:
        for name, message in _warnings(event):
            add_event(connection, job["id"], name, without_paths(message, run), level="warn")


def without_paths(message: str, run: Path) -> str:
    """What a run says, less where on the server it lies.

    >>> without_paths("/runs/a/files/training.jsonl has 9 rows", Path("/runs/a"))
    'training.jsonl has 9 rows'
    """
    return message.replace(f"{run}{os.sep}{FILES}{os.sep}", "").replace(str(run), run.name)


def _warnings(event: Event) -> Iterator[tuple[str, str]]:
    """What the user should know of the data, by the name it is told under."""
    if event["event"] == "prepared" and event["left_out"]:
        yield (
            "left-out",
            f"{event['left_out']} examples are not used: they are empty or in both files",
        )
    if event["event"] in ("prepared", "suspected"):
        for finding in event["findings"]:
            if finding["severity"] != "note":
                yield f"finding-{finding['code']}", finding["message"]
    if event["event"] == "not_finite":
        yield (
            f"not-finite-{event['step']}",
            f"Step {event['step']}: the {event['what']} is not a finite number, on {event['places']}",
        )


def _set_numbers(connection: Connection, lease: Lease, job: Row, event: Event) -> None:
    """Replace every auto by what was chosen."""
    method = job["method"]
    numbers = dict(method[method["type"]]["hyperparameters"])
    chosen = {name: event[name] for name in ("n_epochs", "batch_size")}
    chosen |= {"learning_rate_multiplier": 1.0, "beta": 0.1}
    for name, value in numbers.items():
        numbers[name] = chosen[name] if value == "auto" else value
    job["method"] = {**method, method["type"]: {"hyperparameters": numbers}}
    write(connection, lease, method=job["method"], trained_tokens=None)


def _tell_checkpoint(connection: Connection, job: Row, event: Event, run: Path) -> None:
    """A row for the model of a step; those that are no longer kept go."""
    step = event["step"]
    mine = checkpoints.c.job == job["id"]
    known = select(checkpoints.c.id).where(mine, checkpoints.c.step == step)
    folder = run / MODELS / f"step-{step}"
    if connection.execute(known).first() is not None or not folder.is_dir():
        return
    name, made = name_of_step(job, step), int(event["time"])
    told = select(events.c.data).where(events.c.job == job["id"], events.c.once == f"step-{step}")
    metrics = connection.execute(told).scalar() or {"step": step}
    connection.execute(
        insert(checkpoints).values(
            id=new_id("checkpoint"),
            created_at=made,
            job=job["id"],
            model=name,
            step=step,
            metrics=metrics,
        )
    )
    add_model(connection, job, name, folder, made)
    add_event(
        connection, job["id"], f"checkpoint-{step}", f"Checkpoint created at step {step}: {name}"
    )
    rows = connection.execute(
        select(checkpoints.c.id, checkpoints.c.model)
        .where(mine)
        .order_by(checkpoints.c.step.desc())
    ).all()
    for old_id, old_model in rows[KEPT:]:
        connection.execute(delete(checkpoints).where(checkpoints.c.id == old_id))
        connection.execute(delete(models).where(models.c.id == old_model))


def add_model(connection: Connection, job: Row, name: str, folder: Path, made: int) -> None:
    """A tuned model that can be named from now on."""
    connection.execute(
        insert(models).values(
            id=name,
            created_at=made,
            owned_by="organization-owner",
            base=name.split(":")[1],
            path=str(folder),
            job=job["id"],
            task=job["extension"]["task"],
        )
    )
