"""What a service says no with, as errors that a user can mend."""

from __future__ import annotations

from typing import Any

from tunewright.errors import ModelError, RecipeError, RunError, TunewrightError

LOCAL = (
    "train here: write backend: torch and an open model such as smollm2; or keep your code and "
    "point it at tunewright serve"
)
_ENDED = ("training_not_available",)
_QUOTA = ("insufficient_quota", "exceeded_quota", "daily_rate_limit_exceeded")


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


def refusal(error: Any, what: str, host: str, hidden: str = "") -> TunewrightError:
    """The error for the user.

    Args:
        what: was being done. host: of the service. hidden: see `said_by`.
    """
    status, code, said = status_of(error), code_of(error), said_by(error, hidden)
    if code in _ENDED:
        return RunError(f"{host} does not train any more for this account: {said}", fix=LOCAL)
    if status == 401:
        return RunError(
            f"{host} does not know the key: {said}",
            fix="set the environment variable that service.key names to a key of this service",
        )
    if status == 403:
        return RunError(
            f"{host} does not allow {what}: {said}", fix="ask for the right, or use another key"
        )
    if is_quota(error):
        return RunError(
            f"{host} has no room for {what} now ({code}): {said}",
            fix="wait, or raise the limit there; then tunewright run --resume RUN",
        )
    if code in ("model_not_found", "model_not_available", "DeploymentNotFound"):
        return ModelError(
            f"{host} has no such model for {what}: {said}",
            fix="name a model that the service trains; on Azure give service.base_as and "
            "service.tuned_as the names of deployments",
        )
    if status in (400, 404, 413, 422):
        param = getattr(error, "param", None)
        at = f" ({param})" if param else ""
        return RecipeError(f"{host} refuses {what}{at}: {said}", fix="change what it names")
    return RunError(
        f"{host} failed at {what}: {f'status {status}, ' if status else ''}{said}",
        fix="try again later: tunewright run --resume RUN",
    )
