"""The section `service` of the recipe: who trains with backend openai, and for how much."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, model_validator

from tunewright.recipe.section import Auto, Section

Dollars = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
KEY_NAME = r"^[A-Z][A-Z0-9_]*$"
KEY_FIX = (
    "put the key itself into an environment variable, and its name here: export MY_KEY=…, then "
    "service.key: MY_KEY"
)
LONGEST_WORD = 20
"""What has no underscore and is longer is rather a key than the name of a variable."""
Preset = Literal["openai", "azure", "nebius", "crusoe", "tunewright", "generic"]


def key_as_shown(name: str) -> str:
    """A variable's name as messages may have it: what could be a key is hidden.

    >>> key_as_shown("MY_KEY"), key_as_shown("sk-123456789abcdef")
    ('MY_KEY', '…')
    """
    is_name = re.match(KEY_NAME, name) and ("_" in name or len(name) <= LONGEST_WORD)
    return name if is_name else "…"


class Service(Section):
    """A service that speaks the OpenAI fine-tuning API. For backend openai alone."""

    preset: Preset = Field("openai", description="whose addresses, prices and limits are meant")
    base_url: str | None = Field(
        None, description="address of the API, as in https://HOST/v1; null for the preset's own"
    )
    key: Annotated[str, Field(pattern=KEY_NAME)] | None = Field(
        None,
        description="name of the environment variable that holds the key, never the key itself; "
        "null for the preset's own, and for none with the presets tunewright and generic",
    )
    spend_limit: Dollars | None = Field(
        10.0,
        description="US dollars; a run whose estimate is above stops before anything is sent; null "
        "for none",
    )
    training_price: Dollars | None = Field(
        None, description="US dollars for a million trained tokens, where the table is silent"
    )
    input_price: Dollars | None = Field(
        None, description="US dollars for a million tokens that the trained model reads"
    )
    output_price: Dollars | None = Field(
        None, description="US dollars for a million tokens that the trained model writes"
    )
    learning_rate_multiplier: Positive | Auto = Field(
        "auto", description="of the service's own learning rate; auto: the service chooses"
    )
    suffix: Annotated[str, Field(min_length=1, max_length=64)] | None = Field(
        None, description="part of the trained model's name"
    )
    instruction: str | None = Field(
        None,
        description="of text classification: what the model is told before each text; null: to "
        "answer with one of the labels, which are listed",
    )
    base_as: str | None = Field(
        None, description="name to ask the untouched model by, as of a deployment on Azure"
    )
    tuned_as: str | None = Field(
        None, description="name to ask the trained model by, as of a deployment on Azure"
    )
    parallel: Annotated[int, Field(ge=1, le=64)] = Field(
        4, description="questions that are asked at once"
    )
    poll_s: Annotated[float, Field(gt=0, le=600)] = Field(
        5.0, description="seconds between two looks at the job"
    )
    wait_minutes: Positive = Field(
        1440.0,
        description="a job that waits in a queue, or is paused, for so long stops the run; the job "
        "itself goes on, and so does the run with --resume",
    )

    @model_validator(mode="after")
    def _address_is_known(self) -> Service:
        if self.base_url is None and self.preset in ("azure", "generic"):
            raise ValueError(f"preset {self.preset} has no address of its own: give base_url")
        if self.base_url is not None and not self.base_url.startswith(("https://", "http://")):
            raise ValueError("base_url should begin with https://")
        return self
