"""What the trials of one process share: rows read and split once, tokens, and an open model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunewright import telling
from tunewright.adapting import Adapted, adapt
from tunewright.backends import open_session
from tunewright.cores import usable_cores
from tunewright.data.prepare import Prepared, prepare
from tunewright.durable import make_folder, write_text
from tunewright.errors import ChangedError
from tunewright.history.folder import ASKED_FILE
from tunewright.history.state import read_state, write_state
from tunewright.judging import refuse_left_out
from tunewright.life import choose
from tunewright.pretrained.catalog import ModelSource
from tunewright.recipe.load import build_recipe, load_recipe
from tunewright.recipe.schema import READS, Recipe
from tunewright.recipe.tune import Tune
from tunewright.recipe.write import as_yaml
from tunewright.train.events import Events

RECIPE_FILE = "recipe.yaml"
MEASURED = ("train.precision", "train.checkpointing", "train.contrastive", "adapt.pooling")


@dataclass(frozen=True)
class Desk:
    """One process at work on a study.

    asked: as the user wrote it; recipe: what all trials have in common; base: the model of the default recipe, ready to learn.
    """

    folder: Path
    asked: Recipe
    recipe: Recipe
    source: ModelSource
    prepared: Prepared
    session: Any
    base: Adapted

    @property
    def metric(self) -> str:
        """The deciding one."""
        return str(self.base.recipe.evaluate.metric)

    def recipe_with(self, settings: Sequence[str]) -> Recipe:
        """The recipe of a trial, not resolved yet."""
        return build_recipe(self.recipe.model_dump(exclude={"tune"}), settings)

    def adapt(self, recipe: Recipe) -> Adapted:
        """The model of a trial, as if it were new."""
        return adapt(recipe, self.source, self.prepared, self.session)


def open_desk(folder: Path, events: Events) -> Desk:
    """Read, split and seal the rows, and open the model; in a study that began, all as it was.

    Raises:
        ChangedError: the data or the model is not the study's.
    """
    begun = (folder / RECIPE_FILE).exists()
    asked = load_recipe(folder / (RECIPE_FILE if begun else ASKED_FILE))
    refuse_left_out(asked.data, validation=True)
    recipe, source, reasons = choose(asked, events)
    state = read_state(folder)
    _refuse_other("model", state.get("model_hash"), source.sha256, folder)
    prepared = prepare(
        recipe.data, recipe.seed, make_folder(folder / "data").parent, task=recipe.task
    )
    _refuse_other("data", state.get("data_hash"), prepared.data_hash, folder)
    telling.tell_prepared(prepared, events)
    session = open_session(recipe, source.path, READS[prepared.columns.task])
    session.keeps_open = True
    plain = recipe.model_copy(update={"tune": Tune()})
    base = adapt(plain, source, prepared, session)
    if not begun:
        recipe, more = _with_measured(recipe, base)
        write_text(folder / RECIPE_FILE, as_yaml(recipe, reasons | more))
        write_state(folder, data_hash=prepared.data_hash, model_hash=source.sha256)
    return Desk(folder, load_recipe(folder / ASKED_FILE), recipe, source, prepared, session, base)


def _refuse_other(name: str, before: str | None, now: str, folder: Path) -> None:
    if before not in (None, now):
        raise ChangedError(f"{name} of the study", str(before)[:12], now[:12], folder)


def _with_measured(recipe: Recipe, base: Adapted) -> tuple[Recipe, dict[str, str]]:
    """What was measured, or tried, for the default recipe holds for every trial; and the split."""
    settings = [] if recipe.data.split.seed is not None else [f"data.split.seed={recipe.seed}"]
    reasons = {key: why for key, _, why in base.choices if key in MEASURED}
    for key in MEASURED:
        section, name = key.split(".")
        if getattr(getattr(recipe, section), name) == "auto":
            settings.append(f"{key}={getattr(getattr(base.recipe, section), name)}")
    if recipe.augment.methods == "auto":
        settings.append(f"augment={base.recipe.augment.model_dump_json()}")
    return build_recipe(recipe.model_dump(), settings), reasons


def threads_here(workers: int) -> int:
    """Processor threads for one of so many workers on this machine."""
    return max(1, usable_cores() // max(1, workers))
