"""The life of a run whose training a service does: the stages of `tunewright.life`, in order."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from tunewright import telling
from tunewright.answering import asked_for
from tunewright.backends.openai.connection import connect
from tunewright.backends.openai.offered import refuse_absent
from tunewright.backends.openai.presets import address, host_of, key_name
from tunewright.backends.openai.writer import wait_until_there
from tunewright.backends.served import Served, write_served
from tunewright.data.prepare import Prepared, prepare
from tunewright.durable import make_folder, write_text
from tunewright.evaluation import facts as report_facts
from tunewright.history.state import write_state
from tunewright.hosting.asked import refuse_ungranted, resolved
from tunewright.hosting.evaluating import evaluate_validation
from tunewright.hosting.judging import BASE, baselines_of, writer_of
from tunewright.hosting.sent import write_sent
from tunewright.hosting.spending import estimate, refuse_expensive
from tunewright.hosting.training import HostedTraining
from tunewright.judging import test_sealed
from tunewright.recipe.defaults import Choice
from tunewright.recipe.schema import Recipe
from tunewright.recipe.write import as_yaml
from tunewright.stages import Begins
from tunewright.train.events import Events
from tunewright.train.interrupt import StopRequest


def live(
    folder: Path, recipe: Recipe, events: Events, stop: StopRequest, begins: Begins, test: bool
) -> bool:
    """Go through the stages; whether the run is done, rather than stopped where asked."""
    if not begins("choose"):
        return False
    refuse_ungranted(recipe)
    connection = connect(address(recipe.service), key_name(recipe.service), partial(_tell, events))
    base = f"{recipe.model} at {host_of(address(recipe.service))}"
    events.emit("chosen", model=recipe.model, base=base, sha256=None)
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
    asked_for(recipe)  # before anything is sent: it may refuse
    refuse_absent(connection, recipe.model)
    recipe, choices = resolved(recipe, prepared)
    sent = write_sent(make_folder(folder / "service"), prepared, recipe)
    refuse_expensive(estimate(recipe, prepared, sent, test=test), recipe, events)
    _write_down(folder, recipe, choices, prepared)
    events.emit("adapted", news=f"{base} trains", choices=[list(choice) for choice in choices])
    if not begins("train"):
        return False
    trained = HostedTraining(folder, recipe, sent, connection, events).run()
    _write_models(folder, recipe, prepared, trained.job.fine_tuned_model)
    if not begins("evaluate"):
        return False
    wait_until_there(writer_of(folder, "model"))
    baselines = baselines_of(folder, prepared, recipe)
    evaluate_validation(folder, recipe, choices, prepared, baselines, trained, base, events)
    if test and begins("test"):
        test_sealed(folder, prepared, baselines, command="run --test", events=events)
    return True


def _tell(events: Events, why: str, seconds: float) -> None:
    events.emit("service_waits", why=why, seconds=round(seconds, 1))


def _write_down(
    folder: Path, recipe: Recipe, choices: tuple[Choice, ...], prepared: Prepared
) -> None:
    """The resolved recipe with its reasons, and what the run is made of."""
    write_text(folder / "recipe.yaml", as_yaml(recipe, {key: why for key, _, why in choices}))
    write_state(
        folder,
        seed=recipe.seed,
        device=host_of(address(recipe.service)),
        versions=report_facts.versions(),
        data_hash=prepared.data_hash,
        model_hash=None,
    )


def _write_models(folder: Path, recipe: Recipe, prepared: Prepared, tuned: str) -> None:
    """Folders that name the trained model, and the untouched one to hold it against."""
    service = recipe.service
    common: dict[str, Any] = {
        "base_url": address(service),
        "key": key_name(service),
        "preset": service.preset,
        "task": recipe.task,
        "parallel": service.parallel,
        "instruction": service.instruction,
        "labels": prepared.labels,
    }
    names = ((BASE, service.base_as or recipe.model), ("model", service.tuned_as or tuned))
    for place, name in names:
        write_served(folder / place, Served(model=name, **common))
