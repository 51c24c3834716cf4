"""The stage `adapt`: every `auto` becomes a value with a reason, and the model gets its head."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from tunewright.augmenting import open_with_views
from tunewright.backends import open_session
from tunewright.backends.base import Backend
from tunewright.backends.inputs import Reader
from tunewright.backends.session import read_rows
from tunewright.data.chat.forms import COLUMNS
from tunewright.data.columns import Columns
from tunewright.data.prepare import Prepared
from tunewright.data.seal import refuse_unfit_sealed
from tunewright.few_rows import choose_contrastive, choose_pooling, few_rows
from tunewright.forgetting import choose_forgetting
from tunewright.pretrained.catalog import ModelSource
from tunewright.recipe import defaults, refusals
from tunewright.recipe.schema import READS, TASKS, UNLABELLED, Recipe
from tunewright.recipe.views import choose_views, refuse_idle_mixing
from tunewright.train.phases import (
    PhasePlan,
    deepest,
    plan_phases,
    refuse_idle_adapters,
    refuse_idle_tokens,
)


@dataclass(frozen=True)
class Adapted:
    """A model with its head and what reads its rows, the recipe with every value chosen, and why."""

    backend: Backend
    reader: Reader
    recipe: Recipe
    choices: tuple[defaults.Choice, ...]
    phases: tuple[PhasePlan, ...]
    model_sha256: str


def adapt(recipe: Recipe, source: ModelSource, prepared: Prepared, session: Any = None) -> Adapted:
    """Resolve every `auto`, then put a new head on the model.

    Args:
        session: of the model's folder, where it is open already.
    """
    defaults.refuse_unfit(recipe.train, prepared.kind)
    known = recipe.model_copy(update={"task": prepared.columns.task})
    refusals.refuse_written(known)
    refusals.refuse_new_tokens(recipe, prepared.kind)
    few = few_rows(known, prepared.counts["train"])
    recipe, methods = defaults.with_method(recipe, prepared.kind, few)
    refusals.refuse_quantization(recipe, prepared.kind)
    reads = READS[prepared.columns.task]
    session = session or open_session(recipe, source.path, reads)
    facts = defaults.Facts(
        kind=prepared.kind,
        lengths=session.lengths(prepared.train),
        counts=tuple(prepared.counts["train"]),
        longest_input=session.longest_input,
        width=session.width,
    )
    choices: tuple[defaults.Choice, ...] = (
        *data_choices(prepared),
        *methods,
        defaults.choose_dropout(recipe.adapt),
        choose_pooling(recipe, session, few=few is not None),
        defaults.choose_max_length(recipe.train, facts),
        defaults.choose_batch_size(recipe.train, facts),
        *defaults.choose_adapters(recipe.adapt, recipe.train, facts),
        *defaults.choose_rates(recipe.train, facts, adapters=recipe.adapt.has_adapters),
        defaults.choose_evaluations(recipe.train, facts),
        defaults.choose_cache(recipe.train),
        _asked_or(recipe, "train.threads", session.choose_threads),
        _asked_or(recipe, "train.precision", session.choose_precision),
        defaults.choose_metric(recipe.evaluate, facts),
        defaults.choose_answers(recipe.evaluate, prepared.kind),
        *choose_views(recipe, reads),
    )
    parts = {
        "train": (prepared.train, prepared.targets_of("train")),
        "validation": (prepared.validation, prepared.targets_of("validation")),
    }
    backend, resolved, choices = open_with_views(
        recipe,
        defaults.with_choices(recipe, choices),
        choices,
        lambda with_views: session.open(with_views, prepared.labels, parts),
    )
    rows = cast("int", resolved.train.batch_size) // resolved.train.accumulate
    kept = backend.choose_checkpointing(resolved.train.checkpointing, rows)
    choices = (*choices, ("train.checkpointing", *kept))
    choices = (*choices, choose_contrastive(resolved, backend, few=few is not None))
    resolved = defaults.with_choices(resolved, choices[-2:])
    most = deepest(resolved.adapt.layers, backend.num_blocks)
    phases = plan_phases(resolved.train, backend.num_blocks, most)
    refuse_idle_mixing(recipe.augment, reads, [not p.blocks and p.epochs > 0 for p in phases])
    if resolved.adapt.has_adapters:
        refuse_idle_adapters(phases, most)
    if resolved.adapt.new_tokens:
        refuse_idle_tokens(phases, backend.num_blocks)
    choices = (*choices, choose_forgetting(resolved, backend, phases))
    resolved = defaults.with_choices(resolved, choices[-1:])
    return Adapted(backend, session.reader, resolved, choices, phases, source.sha256)


def data_choices(prepared: Prepared) -> tuple[defaults.Choice, ...]:
    """The task, the columns and the split that the rows were found to have."""
    columns = prepared.columns
    return (
        ("task", columns.task, columns.reasons["task"]),
        *(
            (
                f"data.columns.{name}",
                column,
                columns.reasons.get(name, _no_reason(name, column, columns)),
            )
            for name, column in columns.in_recipe.items()
        ),
        ("data.split.by", prepared.split_by, prepared.split_reason),
    )


def refuse_unreadable(folder: Path, adapted: Adapted) -> None:
    """Let sealed conversations that could not be judged stop a run before it trains.

    Raises:
        DataError: as for rows to train on.
    """
    if TASKS[adapted.recipe.task] in UNLABELLED:
        longest = cast("int", adapted.recipe.train.max_length)
        refuse_unfit_sealed(folder, lambda rows: read_rows(adapted.reader, rows, longest))


def _no_reason(name: str, column: str | None, columns: Columns) -> str:
    """Why a column was taken, or none, where nothing else says it."""
    if column is not None:
        return "asked for"
    if (name in COLUMNS) != (columns.form is not None):
        return "the rows are of another form"
    return "the rows are texts" if name == "image" else f"no {name.replace('_', ' ')} was found"


def _asked_or(
    recipe: Recipe, key: str, choose: Callable[[], tuple[object, str]]
) -> defaults.Choice:
    """What the recipe asks for; only where it says auto, what is chosen on this machine."""
    asked = getattr(recipe.train, key.removeprefix("train."))
    return (key, *choose()) if asked == "auto" else (key, asked, "asked for")
