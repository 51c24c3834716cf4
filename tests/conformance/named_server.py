"""The server that the statements are about, and what has to be known of it to ask it all."""

from __future__ import annotations

import os
from dataclasses import dataclass

PREFIX = "TUNEWRIGHT_CONFORMANCE_"


@dataclass(frozen=True)
class Server:
    """Where it is, and which of its models can do what.

    Args:
        model: may be trained on conversations, and answers.
        encoder: gives vectors; without one nothing is asked of them.
        tool_model: may be trained on calls of tools.
        largest_mib: files that are larger are refused.
        tokenizer: a folder with that of `model`, where it is known.
    """

    url: str
    key: str
    model: str
    encoder: str | None
    tool_model: str
    largest_mib: int = 512
    tokenizer: str | None = None
    is_own: bool = False


def named_server() -> Server | None:
    """The server that the environment names: URL, KEY and MODEL, perhaps more."""
    given = {
        name.removeprefix(PREFIX): value
        for name, value in os.environ.items()
        if name.startswith(PREFIX)
    }
    if "URL" not in given:
        return None
    url, model = given["URL"].rstrip("/"), given["MODEL"]
    return Server(
        url,
        given["KEY"],
        model,
        given.get("ENCODER"),
        given.get("TOOL_MODEL", model),
        largest_mib=int(given.get("LARGEST_MIB", 512)),
        tokenizer=given.get("TOKENIZER"),
    )
