"""What a run says in events.jsonl, told as the events and checkpoints of its job.

Reading goes on where it ended. A kill in between tells some things again, which changes nothing:
every event has a name under which it is told once.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from tunewright.serve.identifiers import new_id
from tunewright.serve.jobs.job_process import KEPT, MODELS
from tunewright.serve.jobs.job_recipes import FILES
from tunewright.serve.jobs.jobs import add_event
from tunewright.serve.jobs.leases import Lease, write
from tunewright.serve.jobs.tuned_names import name_of_step
from tunewright.serve.store import Row, Store
from tunewright.serve.tables import checkpoints, events, jobs, models

Event = dict[str, Any]


STEPS = ("steps", "steps_so_far")
"""Both tell losses; steps_so_far are told again by the `steps` that follow."""


def tell(store: Store, lease: Lease, run: Path, *, is_over: bool = False) -> int:
    """Tell what is new, in one transaction; how many steps were told for the first time.

    Args:
        is_over: whether no more will come; else a last step waits for its evaluation.
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
        for event in come:
            if event["event"] in STEPS:
                num_steps += _tell_steps(connection, job, event, total)
            else:
                _tell_other(connection, lease, job, event, run)
        crashes = 0 if num_steps else job["crashes"]
        write(connection, lease, told=place, crashes=crashes, **_finish(come, total))
    return num_steps


def _read(path: Path, start: int, *, is_over: bool) -> tuple[list[Event], int]:
    """The whole lines behind a byte, and the byte behind them; steps wait for their evaluation."""
    if not path.is_file():
        return [], start
    with path.open("rb") as file:
        file.seek(start)
        lines = file.read().split(b"\n")[:-1]
    come = [json.loads(line) for line in lines]
    if come and come[-1].get("evaluation_follows") and not is_over:
        come, lines = come[:-1], lines[:-1]
    return come, start + sum(len(line) + 1 for line in lines)


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
        if event["event"] not in STEPS:
            continue
        left = event["phase_steps"] - event["phase_step"]
        later = total - event["step"] - left
        if left <= 0 < later:
            break  # a phase has ended, and the next has no speed yet
        step_s = event["left_s"] / left if left else 0.0
        return {"estimated_finish": round(event["time"] + event["left_s"] + later * step_s)}
    return {}


def _tell_steps(connection: Connection, job: Row, event: Event, total: int) -> int:
    """Tell each step that was not told; how many these are."""
    first = event["step"] - len(event["losses"]) + 1
    return sum(
        _tell_step(connection, job, _measured(step, total, loss), event["time"])
        for step, loss in enumerate(event["losses"], first)
    )


def _measured(step: int, total: int, loss: float) -> dict[str, Any]:
    """What a step has before validation was looked at."""
    valid = ("valid_loss", "valid_mean_token_accuracy")
    return {
        "step": step,
        "total_steps": total,
        "train_loss": loss,
        "train_mean_token_accuracy": None,
        **dict.fromkeys((*valid, *(f"full_{name}" for name in valid))),
    }


def _tell_step(connection: Connection, job: Row, data: dict[str, Any], made: float) -> bool:
    return add_event(
        connection,
        job["id"],
        f"step-{data['step']}",
        _message(data),
        kind="metrics",
        data=data,
        created_at=made,
    )


def _message(data: dict[str, Any]) -> str:
    told = f"Step {data['step']}/{data['total_steps']}: training loss={data['train_loss']:.2f}"
    if data["full_valid_loss"] is None:
        return told
    valid, full = data["valid_loss"], data["full_valid_loss"]
    return f"{told}, validation loss={valid:.2f}, full validation loss={full:.2f}"


def _tell_scores(connection: Connection, job: Row, event: Event) -> None:
    """Add what validation said to its step, and to the checkpoint of a pause before it."""
    mine = (events.c.job == job["id"], events.c.once == f"step-{event['step']}")
    data = connection.execute(select(events.c.data).where(*mine)).scalar()
    if data is None:  # before the first step
        return
    scores = event["scores"]
    loss = _first(scores, "loss", "log_loss", "rmse")
    accuracy = _first(scores, "token_accuracy", "preference_accuracy", "accuracy")
    for each in ("valid", "full_valid"):  # every look is at all validation rows
        data |= {f"{each}_loss": loss, f"{each}_mean_token_accuracy": accuracy}
    connection.execute(update(events).where(*mine).values(data=data, message=_message(data)))
    of_step = (checkpoints.c.job == job["id"], checkpoints.c.step == event["step"])
    connection.execute(update(checkpoints).where(*of_step).values(metrics=data))


def _first(scores: dict[str, float], *names: str) -> float | None:
    return next((round(scores[name], 5) for name in names if name in scores), None)


def _tell_other(connection: Connection, lease: Lease, job: Row, event: Event, run: Path) -> None:
    kind = event["event"]
    if kind == "job_plan":
        _set_numbers(connection, lease, job, event)
    elif kind == "evaluated":
        _tell_scores(connection, job, event)
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
