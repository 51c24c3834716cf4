"""The body that asks for a job, with every limit of the API; what cannot be granted is refused."""

from __future__ import annotations

import sys
from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    PlainValidator,
    StrictInt,
    StrictStr,
    field_validator,
    model_validator,
)

from tunewright.serve.bodies import Body

MOST_SEED = 2**31 - 1
MOST_PAIRS, LONGEST_KEY, LONGEST_VALUE = 16, 64, 512
LARGEST = sys.float_info.max
NAMESPACE = "tunewright"
NUMBERS = ("n_epochs", "batch_size", "learning_rate_multiplier")


def _whole(value: Any, *, most: int) -> Any:
    if value in ("auto", None):
        return "auto"
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise ValueError(f"should be 'auto' or a whole number from 1 to {most}")
    return value


def _above_zero(value: Any, *, most: float = LARGEST) -> Any:
    if value in ("auto", None):
        return "auto"
    good = isinstance(value, int | float) and not isinstance(value, bool)
    if not good or not 0 < value <= most:
        limit = "" if most == LARGEST else f" and at most {most:g}"
        raise ValueError(f"should be 'auto' or a number above 0{limit}")
    return float(value)


def _whole_up_to(most: int) -> PlainValidator:
    shown: Any = Literal["auto"] | Annotated[int, Field(ge=1, le=most)] | None
    return PlainValidator(lambda value: _whole(value, most=most), json_schema_input_type=shown)


def _above_zero_up_to(most: float = LARGEST) -> PlainValidator:
    limit = None if most == LARGEST else most
    shown: Any = Literal["auto"] | Annotated[float, Field(gt=0, le=limit)] | None
    return PlainValidator(lambda value: _above_zero(value, most=most), json_schema_input_type=shown)


class Hyperparameters(Body):
    """Of supervised training; each is chosen where it says auto."""

    n_epochs: Annotated[Any, _whole_up_to(50)] = "auto"
    batch_size: Annotated[Any, _whole_up_to(256)] = "auto"
    learning_rate_multiplier: Annotated[Any, _above_zero_up_to()] = "auto"


class PreferenceHyperparameters(Hyperparameters):
    """Of DPO."""

    beta: Annotated[Any, _above_zero_up_to(2.0)] = "auto"


class Supervised(Body):
    """Settings of the method."""

    hyperparameters: Hyperparameters | None = None


class Preference(Body):
    """Settings of the method."""

    hyperparameters: PreferenceHyperparameters | None = None


class Method(Body):
    """How the model is to be trained."""

    type: Literal["supervised", "dpo", "reinforcement"]
    supervised: Supervised | None = None
    dpo: Preference | None = None
    reinforcement: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _settings_of_this_type(self) -> Method:
        for name in ("supervised", "dpo", "reinforcement"):
            if name != self.type and getattr(self, name) is not None:
                raise ValueError(f"type is {self.type}, and settings of {name} are given")
        return self


class Extension(Body):
    """What this server can do beyond the API, under one name.

    Args:
        task: text-generation and preference come of the method; others name themselves.
        settings: recipe keys of adapt, train and data that say how to train.
    """

    task: (
        Literal["text-classification", "text-multi-label", "text-regression", "text-generation"]
        | None
    ) = None
    settings: dict[StrictStr, bool | int | float | str] = Field(default_factory=dict)


class CreateJob(Body):
    """POST /fine_tuning/jobs"""

    model: Annotated[StrictStr, Field(min_length=1, max_length=256)]
    training_file: Annotated[StrictStr, Field(min_length=1)]
    validation_file: StrictStr | None = None
    method: Method | None = None
    hyperparameters: Hyperparameters | None = None
    suffix: Annotated[StrictStr, Field(min_length=1, max_length=64)] | None = None
    seed: Annotated[StrictInt, Field(ge=0, le=MOST_SEED)] | None = None
    integrations: list[Any] | None = None
    metadata: dict[StrictStr, StrictStr] | None = None
    tunewright: Extension | None = None

    @field_validator("suffix")
    @classmethod
    def _plain_suffix(cls, value: str | None) -> str | None:
        if value is not None and (":" in value or not value.isprintable()):
            raise ValueError("holds a colon or a character that cannot be printed")
        return value

    @field_validator("metadata")
    @classmethod
    def _short_pairs(cls, value: dict[str, str] | None) -> dict[str, str] | None:
        if value is None:
            return None
        if len(value) > MOST_PAIRS:
            raise ValueError(f"has {len(value)} pairs, and {MOST_PAIRS} at most are kept")
        for key, each in value.items():
            if len(key) > LONGEST_KEY:
                raise ValueError(f"has a key of more than {LONGEST_KEY} characters")
            if len(each) > LONGEST_VALUE:
                raise ValueError(f"has a value of more than {LONGEST_VALUE} characters")
        return value
