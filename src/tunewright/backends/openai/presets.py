"""What is known of each service: its address, the name of its key, what it takes."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from tunewright.recipe.service import Preset, Service


@dataclass(frozen=True)
class Known:
    """A service.

    Args:
        base_url: None where every user has another. key: name of the environment variable; None
            where none is sent unless the recipe names one.
        most_tokens: of one example; more are cut from its end, or refused.
        with_method: whether a job has `method`, rather than `hyperparameters` at its top.
        completion_tokens: whether the length of an answer is `max_completion_tokens`.
        settings: beginnings of recipe keys that it takes beside, in its own extension.
    """

    base_url: str | None
    key: str | None
    most_tokens: int = 65_536
    with_method: bool = True
    completion_tokens: bool = False
    settings: tuple[str, ...] = ()


KNOWN: dict[Preset, Known] = {
    "openai": Known("https://api.openai.com/v1", "OPENAI_API_KEY", completion_tokens=True),
    "azure": Known(None, "AZURE_OPENAI_API_KEY", completion_tokens=True),
    "nebius": Known("https://api.tokenfactory.nebius.com/v1", "NEBIUS_API_KEY", with_method=False),
    "crusoe": Known(
        "https://api.intelligence.crusoecloud.com/v1", "CRUSOE_API_KEY", with_method=False
    ),
    "tunewright": Known("http://127.0.0.1:8000/v1", None, settings=("adapt.", "train.")),
    "generic": Known(None, None),
}
FEWEST_EXAMPLES = 10
"""Of a training file."""


def known(service: Service) -> Known:
    """What is known of a recipe's service."""
    return KNOWN[service.preset]


def address(service: Service) -> str:
    """Where the API is, without a slash at its end."""
    return str(service.base_url or known(service).base_url).rstrip("/")


def key_name(service: Service) -> str | None:
    """The environment variable that holds the key; None where none is sent."""
    return service.key or known(service).key


def is_here(base_url: str) -> bool:
    """Whether an address is of this machine: what is sent there does not leave it.

    >>> is_here("http://127.0.0.1:8000/v1"), is_here("https://api.openai.com/v1")
    (True, False)
    """
    host = urlsplit(base_url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def host_of(base_url: str) -> str:
    """The host in an address, with its port.

    >>> host_of("https://api.openai.com/v1")
    'api.openai.com'
    """
    parts = urlsplit(base_url)
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)
