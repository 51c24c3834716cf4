"""Which models there are here: bases that may be trained, and what was trained from them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from tunewright.errors import RecipeError
from tunewright.pretrained.entries import ENTRIES
from tunewright.serve.answers import ApiError
from tunewright.serve.settings import ServeSettings
from tunewright.serve.store import Row, Store
from tunewright.serve.tables import models

_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
BASES_SINCE = 1_735_689_600
"""When bases were "created", which nobody knows: the beginning of 2025."""


@dataclass(frozen=True)
class KnownModel:
    """A model that a client may name.

    Args:
        id: its name. source: what `resolve_model` finds it by: a catalog name or a model folder.
        base: the id of the base that it was trained from; its own, of a base.
        tasks: that it was trained for or can be; none where a folder does not say.
        job: that made it.
    """

    id: str
    source: str
    base: str
    tasks: tuple[str, ...]
    created_at: int = BASES_SINCE
    owned_by: str = "system"
    job: str | None = None

    @property
    def is_tuned(self) -> bool:
        """Whether it was trained here."""
        return self.job is not None


def bases(settings: ServeSettings) -> list[KnownModel]:
    """The bases: those of the settings, else the whole catalog.

    A setting is a catalog name, a folder, or `name=folder`.
    """
    catalog = {entry.name: entry for entry in ENTRIES}
    if not settings.models:
        return [KnownModel(e.name, e.name, e.name, e.tasks) for e in ENTRIES]
    found = []
    for given in settings.models:
        if given in catalog:
            found.append(KnownModel(given, given, given, catalog[given].tasks))
            continue
        name, equals, place = given.partition("=")
        folder = Path(place if equals else given).expanduser()
        source = str(folder.absolute()) if folder.is_dir() else str(folder)
        shown = name if equals else folder.name if folder.is_dir() else given
        found.append(KnownModel(shown, source, shown, ()))
    return found


def refuse_unknown(settings: ServeSettings) -> None:
    """Raise RecipeError for a base of the settings that can be no model."""
    for base in bases(settings):
        place = Path(base.source)
        if base.tasks or (place / "config.json").is_file() or place.suffix == ".gguf":
            continue
        if not _HUB_ID.fullmatch(base.source) or place.exists():
            raise RecipeError(
                f"--models: '{base.source}' is no name of the catalog, and no folder of a model",
                fix="tunewright models list; or write name=FOLDER, or a hub id as owner/name",
            )


def known_models(settings: ServeSettings, store: Store) -> list[KnownModel]:
    """Every model that can be named: bases, then tuned ones, newest first."""
    with store.reading() as connection:
        rows = connection.execute(select(models).order_by(models.c.number.desc())).mappings()
        tuned = [_tuned(dict(row)) for row in rows]
    return [*bases(settings), *tuned]


def find_known(
    settings: ServeSettings, store: Store, name: str, *, param: str = "model"
) -> KnownModel:
    """The model of this name; of a base of the catalog also by the name the field knows.

    Raises:
        ApiError: 404 `model_not_found`.
    """
    row = store.get(models, name)
    if row is not None:
        return _tuned(row)
    names = {entry.base: entry.name for entry in ENTRIES}
    for base in bases(settings):
        if base.id in (name, names.get(name)):
            return base
    raise no_such_model(name, param)


def no_such_model(name: str, param: str = "model") -> ApiError:
    """404 as hosted."""
    told = f"The model '{name}' does not exist"
    return ApiError(404, told, param, "model_not_found")


def _tuned(row: Row) -> KnownModel:
    return KnownModel(
        id=row["id"],
        source=row["path"],
        base=row["base"],
        tasks=(row["task"],),
        created_at=row["created_at"],
        owned_by=row["owned_by"],
        job=row["job"],
    )
