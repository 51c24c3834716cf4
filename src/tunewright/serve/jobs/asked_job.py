"""From the body to what a job is kept as: one method, one set of numbers, one extension."""

from __future__ import annotations

from typing import Any

from tunewright.errors import RecipeError
from tunewright.recipe.load import build_recipe
from tunewright.serve.answers import ApiError
from tunewright.serve.jobs.job_requests import NAMESPACE, CreateJob, Extension, Method

_PREFIX = f"{NAMESPACE}:"
_OPEN = ("adapt.", "train.", "data.columns.", "data.learn", "data.too_long")
"""Recipe keys that a client may set: none of them names a file, a folder or code."""
_HOSTED = {"train.epochs": "n_epochs", "train.batch_size": "batch_size", "train.beta": "beta"}
_DECIDED = (*_HOSTED, "train.phases")


def refuse_ungranted(body: CreateJob) -> None:
    """Raise ApiError for what the API has, and this server has not."""
    if body.method is not None and body.method.type == "reinforcement":
        told = (
            "Reinforcement fine-tuning is not done here: a server trains with the methods "
            "supervised and dpo; rank answers with a grader and train on the pairs with dpo"
        )
        raise ApiError(400, told, "method.type", "unsupported_method")
    if body.integrations:
        told = (
            "Integrations are not done here; follow the job by its events, "
            "or read the run folder's events.jsonl"
        )
        raise ApiError(400, told, "integrations", "unsupported_integration")


def method_of(body: CreateJob) -> dict[str, Any]:
    """The method as the API shows it, with every hyperparameter: a number or auto.

    Raises:
        ApiError: the deprecated field and the method contradict each other.
    """
    method = body.method or Method(type="supervised")
    inner: Any = getattr(method, method.type)
    given = inner.hyperparameters if inner is not None else None
    names = ["n_epochs", "batch_size", "learning_rate_multiplier"]
    names += ["beta"] if method.type == "dpo" else []
    numbers: dict[str, Any] = {}
    for name in names:
        own = getattr(given, name, "auto")
        old = getattr(body.hyperparameters, name, "auto")
        if "auto" not in (own, old) and own != old:
            told = f"{name} is {old} in hyperparameters and {own} in method.{method.type}"
            raise ApiError(400, told, f"hyperparameters.{name}", "contradicting_values")
        numbers[name] = old if own == "auto" else own
    return {"type": method.type, method.type: {"hyperparameters": numbers}}


def extension_of(body: CreateJob) -> dict[str, Any]:
    """The task and the recipe keys, from the body's `tunewright` and from `tunewright:` metadata.

    Raises:
        ApiError: a key that is none, is not open to clients, or does not fit the method.
    """
    asked = body.tunewright or Extension()
    task: Any = asked.task
    settings: dict[str, tuple[Any, str]] = {
        key: (value, f"{NAMESPACE}.settings") for key, value in asked.settings.items()
    }
    for key, text in (body.metadata or {}).items():
        if not key.startswith(_PREFIX):
            continue
        if key == f"{_PREFIX}task":
            task = _task(text)
        else:
            settings[key.removeprefix(_PREFIX)] = (text, f"metadata.{key}")
    lines = []
    for key, (value, param) in settings.items():
        if not key.startswith(_OPEN) or key.startswith(_DECIDED):
            told = f"'{key}' is not a setting of a job: "
            told += (
                f"it is hyperparameters.{_HOSTED[key]}"
                if key in _HOSTED
                else f"open are keys under {', '.join(_OPEN)}, but for {', '.join(_DECIDED)}"
            )
            raise ApiError(400, told, param, "unknown_parameter")
        lines.append(f"{key}={str(value).lower() if isinstance(value, bool) else value}")
        _refuse_recipe(lines, param)
    dpo = body.method is not None and body.method.type == "dpo"
    if dpo and task is not None:
        told = f"The method dpo learns preferences, and the task is {task}"
        raise ApiError(400, told, f"{NAMESPACE}.task", "contradicting_values")
    return {"task": task or ("preference" if dpo else "text-generation"), "settings": lines}


def _task(value: str) -> str:
    try:
        return str(Extension.model_validate({"task": value}).task)
    except ValueError:
        told = f"'{value}' is not a task of a job"
        raise ApiError(400, told, f"metadata.{_PREFIX}task", "invalid_value") from None


def _refuse_recipe(settings: list[str], param: str) -> None:
    try:
        build_recipe({}, settings)
    except RecipeError as error:
        raise ApiError(400, f"{error.what}; {error.fix}", param, "invalid_value") from None
