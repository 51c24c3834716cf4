"""What a search may try, and how much of it: the section `tune` of the recipe."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from tunewright.recipe.section import Section

Number = Annotated[float, Field(allow_inf_nan=False)]
Sampler = Literal["auto", "tpe", "cma-es", "random", "grid"]
Pruner = Literal["auto", "asha", "hyperband", "median", "none"]
SEARCHED = re.compile(r"(adapt|train|augment)(\.[a-z_]+)+")
NOT_SEARCHED = (
    *("train.phases", "adapt.new_tokens", "train.threads", "train.cache", "train.checkpointing"),
)


class Range(Section):
    """Numbers from low to high; whole ones where both ends are."""

    low: int | Number
    high: int | Number
    log: bool = False
    step: int | Number | None = None
    when: dict[str, tuple[Any, ...]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _low_is_lower(self) -> Range:
        if not self.low < self.high:
            raise ValueError(f"low is {self.low}, which is not below high, {self.high}")
        if self.log and self.low <= 0:
            raise ValueError(f"log is true, and low is {self.low}: it has to be above 0")
        if self.step is not None and (self.log or self.step <= 0):
            raise ValueError("step has to be above 0, and does not go with log")
        return self

    @property
    def whole(self) -> bool:
        """Whether only whole numbers are drawn."""
        return isinstance(self.low, int) and isinstance(self.high, int)


class Choice(Section):
    """One of several values."""

    values: tuple[Any, ...]
    when: dict[str, tuple[Any, ...]] = Field(default_factory=dict)

    @field_validator("values")
    @classmethod
    def _some_and_each_once(cls, values: tuple[Any, ...]) -> tuple[Any, ...]:
        if not values:
            raise ValueError("there is no value to choose from")
        if len({repr(value) for value in values}) < len(values):
            raise ValueError("a value is there twice")
        return values


class Tune(Section):
    """A search for better settings; `tunewright tune` reads it."""

    trials: Annotated[int, Field(ge=1)] | None = Field(
        None, description="so many, the default one included"
    )
    minutes: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = Field(
        None, description="of all of it, the repeats over seeds included"
    )
    sampler: Sampler = Field("auto", description="what draws the next trial; auto: tpe")
    pruner: Pruner = Field(
        "auto",
        description="what ends a trial early, by its score at the same cost as others had; auto: asha",
    )
    space: dict[str, Choice | Range] | Literal["auto"] = Field(
        "auto",
        description="key: a list of values, or {low, high, log, step}; with `when: {key: [value]}` "
        "only then; auto: by task and strategy",
    )
    guesses: tuple[dict[str, Any], ...] = Field(
        (),
        description="settings to try first, each as {key: value}; the default recipe is before them",
    )
    find_rate: bool = Field(
        False, description="find the learning rates by a range test and short runs; the first guess"
    )
    finalists: Annotated[int, Field(ge=1)] = Field(
        2, description="best trials that are repeated before a winner is named"
    )
    seeds: Annotated[int, Field(ge=1)] = Field(
        3, description="that a finalist has in all; 1: no repeats"
    )
    keep: Annotated[int, Field(ge=0)] = Field(1, description="best trials whose weights are kept")
    storage: str | None = Field(
        None,
        description="database URL of the study; null: a journal file in its folder",
    )

    @field_validator("space", mode="before")
    @classmethod
    def _lists_are_choices(cls, space: Any) -> Any:
        if not isinstance(space, Mapping):
            return space
        if not space:
            raise ValueError("the space is empty: nothing would be searched")
        return {str(key): parameter(str(key), each) for key, each in space.items()}

    @field_validator("space")
    @classmethod
    def _keys_can_be_searched(cls, space: Any) -> Any:
        if isinstance(space, str):
            return space
        for key, each in space.items():
            refuse_unsearched(key)
            for other in each.when:
                if other not in space:
                    raise ValueError(
                        f"{key} is there when {other} is something, which is not in the space"
                    )
        return space

    @field_validator("guesses")
    @classmethod
    def _guesses_can_be_searched(cls, guesses: Any) -> Any:
        for guess in guesses:
            for key in guess:
                refuse_unsearched(key)
        return guesses


def parameter(key: str, given: Any) -> Choice | Range:
    """What may be drawn for a key, from a list of values or the parts of a range.

    Raises:
        ValueError: it is neither, or means nothing.
    """
    if isinstance(given, Choice | Range):
        return given
    if isinstance(given, list | tuple):
        given = {"values": given}
    if not isinstance(given, Mapping):
        raise ValueError(f"{key} needs a list of values, or low and high")
    try:
        return (Choice if "values" in given else Range).model_validate(dict(given))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join([key, *(str(part) for part in first["loc"])])
        raise ValueError(f"{place}: {first['msg'].removeprefix('Value error, ')}") from None


def refuse_unsearched(key: str) -> None:
    """Raise ValueError for what all trials have in common: data, model, metric, threads."""
    if key != "seed" and (not SEARCHED.fullmatch(key) or key in NOT_SEARCHED):
        raise ValueError(f"{key} cannot be searched: keys of adapt, train and augment can")
