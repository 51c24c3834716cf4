"""The section `evaluate` of the recipe."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tunewright.recipe.metric_names import Metric
from tunewright.recipe.section import Auto, Section


class Evaluate(Section):
    """How a model is judged."""

    metric: Literal["auto"] | Metric = Field(
        "auto",
        description="the deciding metric: picks the best step and gives the verdict; a score of "
        "written answers picks the step alone, and the loss gives the verdict",
    )
    resamples: Annotated[int, Field(ge=100, le=100_000)] = Field(
        1000, description="bootstrap resamples behind each 95 % interval"
    )
    calibrate: bool = Field(
        True,
        description="fit the temperature of a classifier's scores on validation; labels stay as "
        "they are",
    )
    thresholds: Literal["half", "auto"] = Field(
        "half",
        description="from which share on a label is answered, of two classes or several labels; "
        "auto: what is best for the metric on validation",
    )
    slices: tuple[str, ...] = Field(
        (), description="columns beside text and label by whose values scores are shown"
    )
    forgetting: Literal["auto", "on", "off"] = Field(
        "auto",
        description="compare what the model makes of general texts before and after training; auto: "
        "where blocks learn, and it takes a tenth of the training or a few seconds",
    )
    answers: Annotated[int, Field(ge=0)] | Auto = Field(
        "auto",
        description="validation rows that a language model answers, before and after training",
    )
    most_tokens: Annotated[int, Field(ge=1)] = Field(256, description="of such an answer")
    pattern: str | None = Field(
        None, description="regular expression; the share of answers that have it is a score"
    )
    own: tuple[str, ...] = Field(
        (), description="scores by your own functions, path/file.py:function"
    )
