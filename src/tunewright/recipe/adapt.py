"""The recipe's section `adapt`."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from tunewright.recipe.section import Auto, Count, Section

TOP = r"^top-[1-9][0-9]*$"
ADAPTED = ("lora", "rslora", "dora")
ADAPTER_KEYS = ("rank", "alpha", "adapter_dropout")


class Adapt(Section):
    """What becomes of the architecture."""

    method: Literal["full", "head", "lora", "rslora", "dora"] | Auto = Field(
        "auto",
        description="full: any layer may be trained; head: only the new head; lora, rslora, "
        "dora: adapters in the blocks, and the head",
    )
    layers: Literal["all"] | Annotated[str, Field(pattern=TOP)] | Auto | None = Field(
        "auto",
        description="blocks that may be trained, or get adapters: all, or top-4 for the top four; "
        "null with method head",
    )
    rank: Count | Auto | None = Field(
        "auto", description="of the adapters; null for none, without adapters"
    )
    alpha: Count | Auto | None = Field(
        "auto",
        description="what adapters add is multiplied by alpha / rank; with rslora by alpha / √rank",
    )
    adapter_dropout: Annotated[float, Field(ge=0, lt=1)] | Auto | None = Field(
        "auto", description="share of the values that enter an adapter to drop in training"
    )
    dropout: Annotated[float, Field(ge=0, lt=1)] | Auto | Literal["hidden", "model"] = Field(
        "auto",
        description="a share for hidden layers; hidden: the model's own share, in hidden layers "
        "only; model: as its config says, in attention weights too",
    )
    pooling: Literal["model", "mean"] | Auto = Field(
        "auto",
        description="what the head reads of a text: model: what it is in models of this kind; mean: "
        "of all tokens, by a block that is put on top; auto: mean for few rows, if the model was "
        "trained so",
    )
    quantization: Literal["none", "4bit"] = Field(
        "none",
        description="of a language model's linear layers below its adapters: 4bit (NF4) takes a "
        "quarter of the memory of bf16; they stay frozen",
    )
    new_tokens: tuple[str, ...] = Field(
        (),
        description="texts that become tokens of a language model; each begins as the mean of the "
        "pieces that it was, and learns",
    )

    @field_validator("new_tokens")
    @classmethod
    def _each_token_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for token in value:
            if not token.strip() or token != token.strip():
                raise ValueError(f"{token!r} begins or ends with a space, or is empty")
            if value.count(token) > 1:
                raise ValueError(f"{token} is there twice")
        return value

    @property
    def adapter_keys(self) -> list[str]:
        """Keys of adapters that are given."""
        return [key for key in ADAPTER_KEYS if getattr(self, key) not in ("auto", None)]

    @property
    def has_adapters(self) -> bool:
        """Whether the blocks get adapters."""
        return self.method in ADAPTED

    @field_validator("layers", mode="before")
    @classmethod
    def _name_layers(cls, value: Any) -> Any:
        if value in ("auto", "all", None) or (isinstance(value, str) and re.match(TOP, value)):
            return value
        raise ValueError("should be all, or top-4 for the top four blocks")

    @model_validator(mode="after")
    def _adapter_keys_need_adapters(self) -> Adapt:
        for key in ADAPTER_KEYS:
            value = getattr(self, key)
            if self.method in ("full", "head") and value not in ("auto", None):
                raise ValueError(
                    f"{key} is {value}, but method {self.method} has no adapters: "
                    f"write method: lora, or leave {key} out"
                )
            if self.has_adapters and value is None:
                raise ValueError(f"{key} is null, but method {self.method} needs it: leave it out")
        if self.method == "head" and self.layers not in ("auto", None):
            raise ValueError(f"layers is {self.layers}, but method head trains no block")
        if self.method != "head" and self.layers is None:
            raise ValueError(f"layers is null, but method {self.method} trains blocks")
        return self
