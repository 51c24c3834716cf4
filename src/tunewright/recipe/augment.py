"""The section `augment` of the recipe."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from tunewright.recipe.section import Auto, Section

Change = Literal[
    "delete", "swap", "synonym", "neighbour", "typing", "crop", "flip", "colour", "rand"
]
CHANGES: dict[str, tuple[Change, ...]] = {
    "text": ("delete", "swap", "synonym", "neighbour", "typing"),
    "image": ("crop", "flip", "colour", "rand"),
}
"""Ways of changing a row in which its label stays true, by what a row is."""


class Augment(Section):
    """More of few training rows: each is also shown changed a little."""

    methods: Literal["none", "usual"] | Auto | tuple[Change, ...] = Field(
        "none",
        description="ways of changing a training row; auto: those usual for texts or pictures, if a "
        "linear probe scores better with them",
    )
    views: Annotated[int, Field(ge=2)] | Auto | None = Field(
        "auto",
        description="of each row, itself among them: each epoch shows the next one; null without "
        "methods",
    )
    strength: Annotated[float, Field(gt=0, le=1)] | Auto | None = Field(
        "auto",
        description="share of a text's words that change, or how much pictures do; null without "
        "methods",
    )
    mix_up: Annotated[float, Field(ge=0, allow_inf_nan=False)] = Field(
        0.0,
        description="rows are mixed with others, in shares drawn from a beta distribution with this "
        "parameter: pictures, or what the head alone learns from; 0 for never",
    )

    @model_validator(mode="before")
    @classmethod
    def _methods_alone(cls, value: Any) -> Any:
        return {"methods": value} if isinstance(value, str | list) else value

    @model_validator(mode="after")
    def _how_needs_methods(self) -> Augment:
        if self.methods == ():
            raise ValueError("methods is an empty list: write none, or leave it out")
        for key in ("views", "strength"):
            value = getattr(self, key)
            if self.methods == "none" and value not in ("auto", None):
                raise ValueError(f"{key} is {value}, but methods is none: write methods: usual")
            if self.methods != "none" and value is None:
                raise ValueError(f"{key} is null, but there are methods: leave it out")
        return self
