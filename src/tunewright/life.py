"""The life of a run: the stages in order.

choose → prepare → adapt → train → evaluate → test. Each stage is one function; what it needs
from the ones before is in its arguments.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from tunewright import features, telling
from tunewright.adapting import Adapted, adapt, refuse_unreadable
from tunewright.answering import asked_for
from tunewright.backends import DECIDING_PACKAGES
from tunewright.baselining import baselines_of
from tunewright.choosing import with_model
from tunewright.data.prepare import Prepared, prepare, write_findings
from tunewright.data.suspects import read_suspects, write_suspects
from tunewright.deciding import refuse_thresholds
from tunewright.durable import (
    file_sha256,
    make_folder,
    write_text,
)
from tunewright.errors import (
    ChangedError,
    FailedRunError,
    RecipeError,
    RunError,
    TunewrightError,
)
from tunewright.evaluating import evaluate_validation
from tunewright.evaluation import facts as report_facts
from tunewright.finished import FinishedRun
from tunewright.history.folder import ASKED_FILE, create_run, find_run
from tunewright.history.lock import lock_run
from tunewright.history.plans import take_plan
from tunewright.history.request import read_request, refuse_search
from tunewright.history.state import read_state, write_state
from tunewright.judging import refuse_left_out, test_sealed
from tunewright.pretrained.catalog import ModelSource, resolve_model
from tunewright.recipe.load import load_recipe
from tunewright.recipe.schema import Recipe
from tunewright.recipe.write import as_yaml
from tunewright.stages import STAGES, Begins
from tunewright.suspecting import look_for_suspects
from tunewright.train.checkpoint import Checkpoints, flat, remove_checkpoints
from tunewright.train.events import Events, Listener
from tunewright.train.interrupt import Interrupted, StopRequest
from tunewright.train.loop import Loop
from tunewright.training import Training
from tunewright.warm_start import with_weights_of_run
from tunewright.ways import way_of


def run(
    source: str | Path | None = None,
    *,
    until: str | None = None,
    test: bool = False,
    settings: Sequence[str] = (),
    resume: str | Path | None = None,
    listeners: tuple[Listener, ...] = (),
    **keys: Any,
) -> FinishedRun:
    """Take a recipe or a data file through the stages; the seal stays closed unless `test`.

    Args:
        source: a recipe, a data file, a folder with train/validation/test files, a data set id.
        until: the last stage to run: choose, prepare, adapt, train, evaluate or test.
        test: open the seal at the end: this run is the last.
        settings: recipe settings as `a.b=c`.
        resume: a run that was interrupted, instead of a source.
        listeners: called with every event.
        keys: recipe keys, such as `model="minilm"` or `data="tickets.csv"`.
    Raises:
        TunewrightError: bad input, a failed run; with what happened and how to mend it.
    """
    if until is not None and until not in STAGES:
        raise RecipeError(f"there is no stage '{until}'", fix=f"stages: {', '.join(STAGES)}")
    if test and until is not None and until != "test":
        raise RecipeError(
            f"test is asked for, and the run ends with {until}", fix="leave one of the two out"
        )
    test = test or until == "test"
    if resume is not None:
        if source is not None or keys or settings:
            raise RecipeError(
                "a resumed run keeps its recipe", fix="start a new run to change something"
            )
        folder = find_run(resume)
    else:
        recipe = with_weights_of_run(read_request(source, keys, settings))
        refuse_search(recipe)
        if recipe.data.train is None:
            raise RecipeError("no data is named", fix="tunewright run DATA.csv, or give data.train")
        name = recipe.name or Path(recipe.data.train).stem
        folder = create_run(name, as_yaml(recipe, {}))
    go_on(folder, until=until, test=test, listeners=listeners, new=resume is None)
    return FinishedRun(folder)


def go_on(
    folder: Path,
    *,
    until: str | None = None,
    test: bool = False,
    listeners: tuple[Listener, ...] = (),
    new: bool = False,
    loop: Callable[..., Loop] = Loop,
    ends: bool = False,
) -> None:
    """Take a run from where it stands through the stages that are left.

    Args:
        folder: of a run that was created.
        new: whether it was created by this call's caller, and goes if its request was wrong.
        loop: makes what trains.
        ends: whether it is done after the stage `until`, rather than stopped there.
    """
    with StopRequest() as stop, _alive(folder, new=new):
        recipe = _as_asked(folder)
        test = test or recipe.test.open or read_state(folder).get("test", False)
        write_state(folder, test=test)  # a run that goes on tests too
        with (
            contextlib.closing(Events(folder / "events.jsonl", listeners)) as events,
            _telling_of_a_stop(folder, events),
        ):
            begins = Begins(until, folder, events)
            refuse_left_out(recipe.data, validation=begins.reaches("evaluate"), test=test)
            lives = way_of(recipe).live if loop is Loop else partial(live, loop=loop)
            done = lives(folder, recipe, events, stop, begins, test) or ends
        with stop.held():
            write_state(folder, state="done" if done else "interrupted")
            if done:  # and not before: without checkpoints a run that goes on would begin anew
                remove_checkpoints(folder / "checkpoints")


@contextlib.contextmanager
def _telling_of_a_stop(folder: Path, events: Events) -> Iterator[None]:
    try:
        yield
    except Interrupted:
        events.emit("interrupted", run=folder.name)
        raise


def _as_asked(folder: Path) -> Recipe:
    """The recipe of a run; what was measured when it began is kept, as it may differ now.

    Raises:
        ChangedError: what decides the parts of the data is not what it was.
    """
    asked = load_recipe(folder / ASKED_FILE)
    if not (folder / "recipe.yaml").exists():
        return asked
    before = load_recipe(folder / "recipe.yaml")
    deciding = {"seed": True, "data": True}
    old, new = (flat(recipe.model_dump(include=deciding)) for recipe in (before, asked))
    for key, value in new.items():
        if value not in ("auto", old[key]):
            raise ChangedError(f"recipe.{key}", old[key], value, folder)
    measured = {
        key: getattr(before.train, key)
        for key in ("precision", "threads", "checkpointing", "contrastive")
        if getattr(asked.train, key) == "auto"
    }
    settings = [f"train.{key}={value}" for key, value in measured.items()]
    if asked.model == "auto":
        settings.append(f"model={before.model}")
    if asked.augment.methods == "auto":
        settings += [f"augment={before.augment.model_dump_json()}"]
    return load_recipe(folder / ASKED_FILE, settings)


def live(
    folder: Path,
    recipe: Recipe,
    events: Events,
    stop: StopRequest,
    begins: Begins,
    test: bool,
    loop: Callable[..., Loop] = Loop,
) -> bool:
    """Go through the stages on this machine; whether the run is done, or stopped where asked."""
    if not begins("choose"):
        return False
    recipe, source, reasons = choose(recipe, events)
    if not begins("prepare"):
        return False
    prepared = prepare(
        recipe.data,
        recipe.seed,
        make_folder(folder / "data").parent,
        task=recipe.task,
        beside=recipe.evaluate.slices,
    )
    telling.tell_prepared(prepared, events)
    if not begins("adapt"):
        return False
    asked_for(recipe)  # before any training: it may refuse
    adapted = adapt(recipe, source, prepared)
    refuse_thresholds(adapted.recipe, prepared)
    refuse_unreadable(folder, adapted)
    fixed = deciding(adapted, source, prepared)
    checkpoints = Checkpoints(folder / "checkpoints", fixed)
    saved = checkpoints.resume()  # before anything of the run is written anew: it may refuse
    write_text(
        folder / "recipe.yaml",
        as_yaml(adapted.recipe, reasons | {key: why for key, _, why in adapted.choices}),
    )
    write_state(
        folder,
        seed=recipe.seed,
        device=adapted.backend.device_type,
        versions=report_facts.versions(),
        data_hash=prepared.data_hash,
        model_hash=source.sha256,
    )
    events.emit(
        "adapted", news=adapted.backend.news, choices=[list(choice) for choice in adapted.choices]
    )
    telling.tell_augmented(adapted.backend.parts["train"], events)
    take_plan(folder, fixed)
    prepared = suspect(folder, adapted, prepared, events)
    if not begins("train"):
        return False
    telling.tell_resumed(checkpoints, saved, events)
    training = Training(folder, adapted, prepared, checkpoints, events, stop, loop)
    progress = training.run(saved)
    if not begins("evaluate"):
        return False
    baselines = baselines_of(folder, prepared, adapted.recipe)
    evaluate_validation(folder, adapted, source, prepared, baselines, progress, events)
    if test and begins("test"):
        test_sealed(folder, prepared, baselines, command="run --test", events=events)
    return True


def choose(recipe: Recipe, events: Events) -> tuple[Recipe, ModelSource, dict[str, str]]:
    """The recipe with a model's name, that model, fetched if need be; and why, where it was auto.

    Raises:
        RecipeError: a service trains, so that nothing can be tried on this machine.
    """
    if recipe.backend == "openai":
        raise RecipeError(
            "this tries models on this machine, and with backend openai a service trains",
            fix="tunewright run RECIPE --until adapt says what the service will cost",
        )
    recipe, reasons = with_model(recipe)
    source = resolve_model(recipe.model, revision=recipe.revision)
    events.emit("chosen", model=source.name, base=source.base, sha256=source.sha256)
    return recipe, source, reasons


def suspect(folder: Path, adapted: Adapted, prepared: Prepared, events: Events) -> Prepared:
    """The rows with what the model finds in them; a run that goes on knows it already."""
    known = read_suspects(folder)
    if known is not None and known.data_hash == prepared.data_hash:
        return prepared
    found = look_for_suspects(adapted, prepared)
    if (vectors := features.of_parts(adapted)) is not None:
        features.keep(folder, vectors, adapted.recipe.seed)
    write_suspects(folder, found)
    prepared = replace(prepared, findings=prepared.findings.and_also(found.findings))
    write_findings(folder, prepared.findings)
    events.emit(
        "suspected",
        seconds=found.seconds,
        features_s=found.features_s,
        left_out=found.left_out,
        findings=telling.told(found.findings),
    )
    return prepared


def deciding(adapted: Adapted, source: ModelSource, prepared: Prepared) -> dict[str, Any]:
    """What decides the trajectory: a run goes on only where all of it is as it was."""
    recipe, versions = adapted.recipe, report_facts.versions()
    kept_out: Any = {"name": True, "test": True, "evaluate": {"resamples"}}
    return {
        "data": prepared.data_hash,
        "labels": list(prepared.labels),
        "model": source.sha256,
        "config": file_sha256(source.path / "config.json"),
        "tokens": adapted.backend.parts["train"].inputs.sha256(),
        "device": adapted.backend.device_type,
        "versions": {name: versions.get(name) for name in DECIDING_PACKAGES[recipe.backend]},
        "recipe": json.loads(recipe.model_dump_json(exclude=kept_out)),
    }


@contextlib.contextmanager
def _alive(folder: Path, *, new: bool) -> Iterator[None]:
    """Within, this process holds the run, and run.json says truthfully how it ended."""
    with lock_run(folder):
        before = read_state(folder)
        if before["state"] == "done":
            raise RunError(f"run {folder.name} is done already", fix="start a new run")
        write_state(folder, state="running")
        try:
            yield
        except (KeyboardInterrupt, Interrupted):
            _note_end(folder, "interrupted", None)
            raise
        except ChangedError:  # it can still go on, once the change is undone
            _note_end(folder, before["state"], before.get("error"), stage=before.get("stage"))
            raise
        except TunewrightError as error:
            if (
                new
                and not isinstance(error, FailedRunError)
                and not (folder / "recipe.yaml").exists()
            ):
                shutil.rmtree(folder, ignore_errors=True)  # nothing was done: leave nothing
            else:
                _note_end(folder, "failed", error.what)
            raise
        except BaseException as error:
            _note_end(folder, "failed", f"{type(error).__name__}: {error}")
            raise


def _note_end(folder: Path, state: str, error: str | None, **more: Any) -> None:
    """Write how it ended; on a full disk the dead process says it (`read_state`)."""
    with contextlib.suppress(TunewrightError, OSError):
        write_state(folder, state=state, error=error, **more)
