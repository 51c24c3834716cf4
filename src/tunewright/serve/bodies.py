"""What every body of a request is like."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Body(BaseModel):
    """Unknown fields are refused, and so is a value of another type: "5" is no number."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
