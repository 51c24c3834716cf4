"""What a service says no with, as errors that a user can mend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

import httpx

from tunewright.errors import ModelError, RecipeError, RunError, TunewrightError

LOCAL = (
    "train here: write backend: torch and an open model such as smollm2; or keep your code and "
    "point it at tunewright serve"
)
_ENDED = ("training_not_available",)
_QUOTA = ("insufficient_quota", "exceeded_quota", "daily_rate_limit_exceeded")
_ABSENT = ("model_not_found", "model_not_available", "DeploymentNotFound")
_OTHER_TASK = "is not available for fine-tuning with the task"
"""What `tunewright serve` says of a model that it has, and that learns something else."""


@dataclass(frozen=True)
class Words:
    """What a user called things, for the next move.

    Args:
        key, address: the settings with the name of the key's variable and with the API's address.
        again: the command that goes on later.
    """

    key: str
    address: str
    again: str


OF_A_RECIPE = Words("service.key", "service.base_url", "tunewright run --resume RUN")


class Asked(Protocol):
    """A service that was asked, see `Patience`."""

    @property
    def host(self) -> str:
        """For people."""

    @property
    def hidden(self) -> str:
        """The key."""

    @property
    def base_url(self) -> str:
        """Where the API is."""

    @property
    def words(self) -> Words:
        """The user's."""


def code_of(error: Any) -> str:
    """The code that the service gave, "" for none."""
    return str(getattr(error, "code", None) or "")


def status_of(error: Any) -> int:
    """The HTTP status, 0 where no answer came."""
    return int(getattr(error, "status_code", None) or 0)


def said_by(error: Any, hidden: str = "") -> str:
    """What the service said, in one line.

    Args:
        hidden: the key, which some repeat.
    """
    body = getattr(error, "body", None)
    inner = body.get("error", body) if isinstance(body, dict) else None
    text = inner.get("message") or inner.get("detail") if isinstance(inner, dict) else None
    said = " ".join(str(text or getattr(error, "message", "") or error).split())
    return (said.replace(hidden, "…") if hidden else said)[:300]


def is_quota(error: Any) -> bool:
    """Whether waiting a little cannot help, though the status says so."""
    return code_of(error) in _QUOTA


def refusal(error: Any, what: str, asked: Asked) -> TunewrightError:
    """The error for the user.

    Args:
        what: was being done.
    """
    host, words = asked.host, asked.words
    status, code, said = status_of(error), code_of(error), said_by(error, asked.hidden)
    if code in _ENDED:
        return RunError(f"{host} does not train any more for this account: {said}", fix=LOCAL)
    if status == 401:
        return _of_the_key(said, asked)
    if status == 403:
        return RunError(
            f"{host} does not allow {what}: {said}", fix="ask for the right, or use another key"
        )
    if is_quota(error):
        return RunError(
            f"{host} has no room for {what} now ({code}): {said}",
            fix=f"wait, or raise the limit there; then {words.again}",
        )
    if _OTHER_TASK in said:
        return ModelError(
            f"{host} has this model for another task, and over the API a model that writes text is "
            f"trained: {said}",
            fix="name a model that writes text, such as smollm2 (labels are answers that it "
            "writes); or train here: write backend: torch",
        )
    if code in _ABSENT:
        return ModelError(
            f"{host} has no such model for {what}: {said}",
            fix="name a model that the service trains; on Azure give service.base_as and "
            "service.tuned_as the names of deployments",
        )
    if status in (400, 404, 413, 422):
        param = getattr(error, "param", None)
        at = f" ({param})" if param else ""
        fix = "change what it names"
        if status == 404 and asked.base_url and urlsplit(asked.base_url).path in ("", "/"):
            fix = f"end {words.address} in /v1: {asked.base_url.rstrip('/')}/v1"
        return RecipeError(f"{host} refuses {what}{at}: {said}", fix=fix)
    if isinstance(error.__cause__, httpx.ConnectError):
        return RunError(
            f"nobody answers at {host} ({what}): {error.__cause__}",
            fix=f"look at {words.address}, and whether the service runs; then {words.again}",
        )
    return RunError(
        f"{host} failed at {what}: {f'status {status}, ' if status else ''}{said}",
        fix=f"try again later: {words.again}",
    )


def _of_the_key(said: str, asked: Asked) -> TunewrightError:
    """One that is wrong, or missing."""
    host, setting = asked.host, asked.words.key
    if not asked.hidden:
        return RecipeError(
            f"{host} wants a key, and {setting} names no variable that holds one: {said}",
            fix=f"export MY_KEY=…, and name the variable: {setting}: MY_KEY",
        )
    return RunError(
        f"{host} does not know the key: {said}",
        fix=f"set the environment variable that {setting} names to a key of this service",
    )


def is_final(error: Any) -> bool:
    """Whether the service said no to just this request, so that asking it again never helps."""
    return code_of(error) in _ENDED or (
        status_of(error) in (400, 404, 413, 422) and not is_quota(error)
    )
