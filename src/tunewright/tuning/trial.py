"""One trial: an ordinary run, in the study's folder, of which not everything is made."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tunewright import telling
from tunewright.adapting import Adapted
from tunewright.durable import make_folder, read_lines, replacing, write_text
from tunewright.errors import TunewrightError
from tunewright.evaluation import facts as report_facts
from tunewright.history.folder import ASKED_FILE
from tunewright.history.memory import peak_memory_mib
from tunewright.history.result import RESULT_FILE, read_result, write_result
from tunewright.history.state import write_state
from tunewright.life import deciding
from tunewright.recipe.load import load_recipe
from tunewright.recipe.metric_names import judged_by
from tunewright.recipe.write import as_yaml
from tunewright.train.checkpoint import Checkpoints, remove_checkpoints
from tunewright.train.events import Events, Listener
from tunewright.train.interrupt import Interrupted, StopRequest
from tunewright.train.loop import Loop, Progress
from tunewright.training import Training
from tunewright.tuning.desk import Desk
from tunewright.tuning.effort import Effort, Look, Pruned

ANSWERS = "answers.npy"
MOST_ANSWERS = 8 << 20  # numbers of a trial that are kept, to tell luck from skill
Keeps = Callable[[float], bool]
Watch = Callable[[Effort], Look]


@dataclass
class Seen:
    """What validation was answered at the best step so far."""

    latest: np.ndarray | None = None
    best: np.ndarray | None = None

    def on_event(self, event: dict[str, Any]) -> None:
        """See `Listener`."""
        if event["event"] == "evaluated" and event["best"]:
            self.best = self.latest

    def loop(self, **parts: Any) -> Loop:
        """A loop whose answers are seen here."""
        measure = parts.pop("measure")

        def seen(answers: np.ndarray) -> dict[str, float]:
            self.latest = answers
            scores: dict[str, float] = measure(answers)
            return scores

        return Loop(measure=seen, **parts)


def run_trial(
    desk: Desk,
    folder: Path,
    stop: StopRequest,
    *,
    watch: Watch | None,
    keeps: Keeps,
    listeners: tuple[Listener, ...] = (),
) -> dict[str, Any]:
    """Train as the folder's asked.yaml says, from its checkpoint if it has one; result.json.

    Args:
        folder: held by this process.
        watch: makes what looks on and may end the trial early; None to let it go on.
        keeps: by its score, whether the trial's weights are written.
    Raises:
        TunewrightError: it failed; the folder says why.
    """
    with _told(folder):
        started = time.monotonic()
        write_state(folder, state="running", stage="adapt")
        adapted = desk.adapt(load_recipe(folder / ASKED_FILE))
        recipe = adapted.recipe
        reasons = {key: why for key, _, why in adapted.choices}
        write_text(folder / "recipe.yaml", as_yaml(recipe, reasons))
        fixed = deciding(adapted, desk.source, desk.prepared)
        checkpoints = Checkpoints(folder / "checkpoints", fixed, at_end=False)
        saved = checkpoints.resume()
        seen, hearing = Seen(), list(listeners)
        look = None
        if watch is not None:
            rows = adapted.backend.parts["train"].rows
            size: Any = recipe.train.batch_size
            look = watch(Effort(rows, adapted.backend.num_blocks, size))
            if saved is not None:
                look.catch_up(read_lines(folder / "events.jsonl"))
            hearing.append(look.on_event)
        heard = (seen.on_event, *hearing)
        with contextlib.closing(Events(folder / "events.jsonl", heard)) as events:
            events.emit("stage", stage="train")
            telling.tell_resumed(checkpoints, saved, events)
            training = Training(
                folder,
                adapted,
                desk.prepared,
                checkpoints,
                events,
                stop,
                seen.loop,
                keeps=lambda progress: keeps(float(progress.best.value or 0.0)),
            )
            write_state(
                folder,
                stage="train",
                device=adapted.backend.device_type,
                seed=recipe.seed,
                data_hash=desk.prepared.data_hash,
                model_hash=desk.source.sha256,
                versions=report_facts.versions(),
            )
            progress, pruned = _trained(training, saved, folder)
        with stop.held():
            result = _result(desk, folder, adapted, progress, pruned)
            result["train"]["wall_s"] = round(time.monotonic() - started, 2)
            _keep_answers(folder, seen.best)
            write_result(folder, result)
            write_state(folder, state="done", pruned=pruned)
            remove_checkpoints(folder / "checkpoints")
    return read_result(folder)


def _trained(
    training: Training, saved: dict[str, Any] | None, folder: Path
) -> tuple[Progress | None, str | None]:
    """Where it ended, or why it was ended."""
    try:
        return training.run(saved), None
    except Pruned as pruned:
        training.events.emit("pruned", reason=str(pruned))
        return None, str(pruned)


def _result(
    desk: Desk,
    folder: Path,
    adapted: Adapted,
    progress: Progress | None,
    pruned: str | None,
) -> dict[str, Any]:
    """result.json, less what only a whole run has: intervals, baselines, a verdict."""
    events = read_lines(folder / "events.jsonl")
    evaluated = [event for event in events if event["event"] == "evaluated"]
    best = next(event for event in reversed(evaluated) if event["best"])
    records = progress.records if progress else _records(events)
    trained = [event for event in events if event["event"] == "phase_started"]
    recipe = adapted.recipe
    return {
        "task": recipe.task,
        "metric": judged_by(recipe.evaluate.metric, recipe.task),
        "validation": {
            name: {"value": value, "low": None, "high": None}
            for name, value in best["scores"].items()
        },
        "test": None,
        "baselines": {},
        "verdict": None,
        "train": {
            "phases": records,
            "best_step": best["step"],
            "wall_s": 0.0,
            "peak_memory_mib": peak_memory_mib(),
        },
        "model": {
            "base": desk.source.base,
            "path": str(folder / "model") if (folder / "model").is_dir() else None,
            "parameters": adapted.backend.parameters,
            "trainable_parameters": max(e["trainable_parameters"] for e in trained),
        },
        "looks": len(evaluated),
        "pruned": pruned,
    }


def _records(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The phases that were over when the trial was ended, each once, though it was resumed."""
    ended = {event["name"]: event for event in events if event["event"] == "phase_ended"}
    return [
        {key: value for key, value in event.items() if key not in ("event", "time")}
        for event in ended.values()
    ]


def _keep_answers(folder: Path, answers: np.ndarray | None) -> None:
    if answers is None or answers.size > MOST_ANSWERS:
        return
    make_folder(folder / "data")
    with replacing(folder / "data" / ANSWERS) as file:
        np.save(file, answers.astype(np.float32), allow_pickle=False)


def answers_of(folder: Path) -> np.ndarray | None:
    """float64 (rows of validation, outputs) at the best step; None where they were not kept."""
    path = folder / "data" / ANSWERS
    if not path.is_file():
        return None
    answers: np.ndarray = np.load(path, allow_pickle=False).astype(np.float64)
    return answers


def is_over(folder: Path) -> bool:
    """Whether a trial has its result."""
    return (folder / RESULT_FILE).is_file()


@contextlib.contextmanager
def _told(folder: Path) -> Iterator[None]:
    """Within, run.json comes to say how the trial ended."""
    try:
        yield
    except (KeyboardInterrupt, Interrupted):
        _note(folder, state="interrupted")
        raise
    except TunewrightError as error:
        _note(folder, state="failed", error=error.what)
        raise
    except BaseException as error:
        _note(folder, state="failed", error=f"{type(error).__name__}: {error}")
        raise


def _note(folder: Path, **changes: Any) -> None:
    with contextlib.suppress(TunewrightError, OSError):
        write_state(folder, **changes)


def settings_in_words(settings: Mapping[str, Any]) -> str:
    """Such as `train.learning_rate 0.0003, adapt.layers top-2`; of none, that it is the default."""
    return ", ".join(f"{key} {value}" for key, value in settings.items()) or "the default recipe"
