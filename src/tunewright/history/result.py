"""result.json: the run's answer, in a shape that outside scripts rely on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tunewright.durable import write_json
from tunewright.errors import RunError

RESULT_FILE = "result.json"
SCHEMA_VERSION = 1


class _Part(BaseModel):
    """Keys may be added; those that are named here must be there and of their type."""

    model_config = ConfigDict(extra="allow", strict=True, allow_inf_nan=False)


class Score(_Part):
    """A value with its 95 % interval."""

    value: float
    low: float | None
    high: float | None


class TestScores(_Part):
    """The scores under the seal, by metric, and how many looks there were."""

    __test__ = False

    looks: int = Field(ge=1)
    __pydantic_extra__: dict[str, Any]


class Verdict(_Part):
    """Was fine-tuning worth it?"""

    better_than_baseline: bool
    difference: Score | None
    baseline: str | None
    sentence: str


class TrainedPhase(_Part):
    """One phase as it went."""

    name: str
    trainable_blocks: int | Literal["all"]
    epochs: float
    rows_per_s: float | None
    cached: bool


class Training(_Part):
    """How the training went."""

    phases: list[TrainedPhase]
    best_step: int | None
    wall_s: float
    peak_memory_mib: float | None


class TrainedModel(_Part):
    """What was trained, and where it is; a service does not tell how many parameters it has."""

    base: str
    path: str | None
    parameters: int | None
    trainable_parameters: int | None


class Result(_Part):
    """The whole of result.json."""

    schema_version: Literal[1]
    task: str
    metric: str
    validation: dict[str, Score]
    test: TestScores | None
    baselines: dict[str, dict[str, Score]]
    verdict: Verdict | None
    train: Training
    model: TrainedModel

    @model_validator(mode="after")
    def _has_the_deciding_metric(self) -> Self:
        if self.metric not in self.validation:
            raise ValueError(f"validation has no {self.metric}, the deciding metric")
        if self.test is not None:
            Score.model_validate(self.test.__pydantic_extra__.get(self.metric))
        return self


def write_result(run: Path, result: dict[str, Any]) -> None:
    """Write result.json; `schema_version` is added when it is missing.

    Raises:
        ValueError: the result has not the promised shape (a mistake of the caller).
    """
    whole = {"schema_version": SCHEMA_VERSION, **result}
    Result.model_validate(whole)
    write_json(run / RESULT_FILE, whole)


def read_result(run: Path) -> dict[str, Any]:
    """What result.json says.

    Raises:
        RunError: the run has no result yet, or the file is damaged or of another version.
    """
    path = run / RESULT_FILE
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
        Result.model_validate(result)
    except (FileNotFoundError, NotADirectoryError):
        raise RunError(
            f"run {run.name} has no result yet",
            fix=f"let it go on: tunewright run --resume {run.name}",
        ) from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "the whole"
        raise RunError(
            f"{path} does not have the promised shape: {place}: {first['msg']}", fix=_AGAIN_FIX
        ) from None
    except (OSError, ValueError) as error:
        raise RunError(f"{path} cannot be read: {error}", fix=_AGAIN_FIX) from None
    return dict(result)


_AGAIN_FIX = "restore the file, or evaluate the run again: tunewright evaluate RUN"
