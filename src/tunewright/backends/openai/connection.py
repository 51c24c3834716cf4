"""The official client, for one service."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import openai

from tunewright.backends.openai.patience import Patience
from tunewright.backends.openai.presets import host_of, is_here
from tunewright.backends.openai.refusals import OF_A_RECIPE, Words
from tunewright.errors import RecipeError
from tunewright.recipe.service import key_as_shown

TIMEOUT_S, UPLOAD_TIMEOUT_S = 60.0, 600.0
NO_KEY = "none"


@dataclass(frozen=True)
class Connection:
    """A client that tries once, and the patience that tries again."""

    client: Any
    patience: Patience


def connect(
    base_url: str,
    key: str | None,
    told: Callable[[str, float], None] | None = None,
    *,
    words: Words = OF_A_RECIPE,
) -> Connection:
    """Make a client; nothing is sent yet.

    Args:
        key: the name of the environment variable; None to send none.
        told, words: see `Patience`.
    Raises:
        RecipeError: the variable is not set, or a key would go over an open line.
    """
    if key is not None and not os.environ.get(key):
        shown = key_as_shown(key)
        raise RecipeError(
            f"the environment variable {shown}, which holds the key of {host_of(base_url)}, is not "
            "set",
            fix=f"export {shown if shown == key else 'MY_KEY'}=…, or name another one in {words.key}",
        )
    if base_url.startswith("http://") and not is_here(base_url):
        raise RecipeError(
            f"{base_url} is not encrypted, and not of this machine: key and data could be read",
            fix=f"write https:// in {words.address}",
        )
    secret = os.environ[key] if key is not None else ""
    client = openai.OpenAI(
        api_key=secret or NO_KEY,
        base_url=base_url,
        max_retries=0,  # a job must be created once: `patience` decides what is asked again
        timeout=TIMEOUT_S,
        default_headers={"Connection": "close"},  # nobody says when a model is asked no more
    )
    patience = Patience(
        host_of(base_url), told or _say_nothing, hidden=secret, base_url=base_url, words=words
    )
    return Connection(client, patience)


def _say_nothing(why: str, seconds: float) -> None:
    """For those who do not listen."""
