"""What every section of the recipe is."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Auto = Literal["auto"]
Count = Annotated[int, Field(ge=1)]


class Section(BaseModel):
    """A part of the recipe: immutable, and closed to unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")
