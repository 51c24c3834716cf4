"""Models of the Hugging Face hub: configuration, tokenizer and safetensors, nothing else."""

from __future__ import annotations

import re
from pathlib import Path

from tunewright.durable import disk_errors
from tunewright.errors import ModelError, TunewrightError
from tunewright.pretrained.keras_presets import WEIGHTS, is_preset
from tunewright.pretrained.preset_rows import ASSETS, CONVERTER, TOKENIZER
from tunewright.pretrained.weights import INDEX, SINGLE

WANTED = (
    "config.json",
    "preprocessor_config.json",
    "README.md",
    "*.safetensors",
    INDEX,
    "tokenizer*",
    "vocab.*",
    "merges.txt",
    "special_tokens_map.json",
    "added_tokens.json",
    "*.model",
)
_UNWANTED = ("*/*", "adapter_model.safetensors", "*.py")
PRESET = ("config.json", "README.md", WEIGHTS, TOKENIZER, CONVERTER, f"{ASSETS}/*")
"""Of a KerasHub preset."""
_HUB_ID = re.compile(r"^[\w.-]{1,96}(/[\w.-]{1,96})?$", re.ASCII)


class NotOnHubError(ModelError):
    """The hub has no such model, or could not be asked."""


def is_hub_id(name: str) -> bool:
    """Whether a name has the form of a hub id: `owner/name`, or an old one without owner.

    >>> is_hub_id("answerdotai/ModernBERT-base"), is_hub_id("./model")
    (True, False)
    """
    return bool(_HUB_ID.match(name)) and not re.search(r"(^|/)[.-]|\.\.|--|[.-](/|$)", name)


def fetch_from_hub(repo: str, revision: str | None) -> Path:
    """Download what is needed of a hub model, or take it from the hub's own cache.

    Raises:
        ModelError: unknown, closed to this user, offline and not cached, or without safetensors.
    """
    folder = _download(repo, revision, WANTED, _UNWANTED)
    if is_preset(folder):
        return _download(repo, folder.name, PRESET, ())  # named after its commit
    if not (folder / SINGLE).is_file() and not (folder / INDEX).is_file():
        raise ModelError(
            f"{repo} has no safetensors weights on the hub, and pickled ones are refused",
            fix="choose a revision that has them (revision: refs/pr/N), or convert a copy once",
        )
    return folder


def _download(
    repo: str, revision: str | None, wanted: tuple[str, ...], unwanted: tuple[str, ...]
) -> Path:
    from huggingface_hub import snapshot_download

    try:
        with disk_errors("to the hub's cache"):
            path = snapshot_download(
                repo,
                revision=revision,
                allow_patterns=list(wanted),
                ignore_patterns=list(unwanted),
            )
    except TunewrightError:
        raise
    except Exception as error:  # its HTTP library, and so the errors, differ by version
        raise _explained(repo, revision, error) from error
    return Path(path)


def cached_on_hub(repo: str, revision: str | None) -> Path | None:
    """The folder in the hub's own cache, if the weights are in it; no network is used."""
    from huggingface_hub import try_to_load_from_cache

    for name in (SINGLE, INDEX, WEIGHTS):
        found = try_to_load_from_cache(repo, name, revision=revision)
        if isinstance(found, str):
            return Path(found).parent
    return None


def _explained(repo: str, revision: str | None, error: Exception) -> ModelError:
    from huggingface_hub import errors

    if isinstance(error, errors.GatedRepoError):
        return ModelError(
            f"{repo} is gated: its owner must let you in",
            fix="accept its terms on its page, then log in: hf auth login",
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return ModelError(f"{repo} has no revision {revision!r}", fix="look up its commits")
    if isinstance(error, (errors.RepositoryNotFoundError, errors.HFValidationError)):
        return NotOnHubError(
            f"the hub has no model {repo!r}, or hides it",
            fix="see what there is: tunewright models list (for a private one: hf auth login)",
        )
    if isinstance(error, (errors.LocalEntryNotFoundError, ConnectionError)):
        return NotOnHubError(
            f"{repo} cannot be fetched: it is not in the hub's cache, and {_offline_reason()}",
            fix="go online, or give a model folder of this machine or a name from: "
            "tunewright models list",
        )
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    return ModelError(f"{repo} could not be fetched from the hub: {reason}", fix="try again")


def _offline_reason() -> str:
    from huggingface_hub import constants

    return "HF_HUB_OFFLINE is set" if constants.HF_HUB_OFFLINE else "the hub cannot be reached"
