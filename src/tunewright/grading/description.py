"""What the five graders are made of, as requests and job files describe them."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

LONGEST_SOURCE = 256 * 1024  # bytes of a Python grader
LONGEST_TEXT = 1 << 20  # characters of a template
LONGEST_FORMULA = 4096
MOST_GRADERS = 64

Template = Annotated[str, Field(max_length=LONGEST_TEXT)]
SimilarityMetric = Literal[
    "cosine",
    "fuzzy_match",
    "bleu",
    "gleu",
    "meteor",
    "rouge_1",
    "rouge_2",
    "rouge_3",
    "rouge_4",
    "rouge_5",
    "rouge_l",
]


class _Described(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: str = Field(min_length=1, max_length=256)


class StringCheck(_Described):
    """1 where a comparison of two strings holds, else 0."""

    type: Literal["string_check"]
    input: Template
    reference: Template
    operation: Literal["eq", "ne", "like", "ilike"]


class TextSimilarity(_Described):
    """How alike two texts are, from 0 to 1."""

    type: Literal["text_similarity"] = "text_similarity"
    input: Template
    reference: Template
    evaluation_metric: SimilarityMetric


class PythonCode(_Described):
    """What `grade(sample, item)` of a source text returns."""

    type: Literal["python"]
    source: str
    image_tag: str | None = None

    @field_validator("source")
    @classmethod
    def _is_short(cls, source: str) -> str:
        size = len(source.encode("utf-8", "surrogatepass"))
        if size >= LONGEST_SOURCE:
            raise ValueError(f"{size:,} bytes are too many; less than {LONGEST_SOURCE:,} are taken")
        return source


class TextPart(BaseModel):
    """A piece of a message."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    type: Literal["input_text", "output_text"]
    text: Template


class JudgeMessage(BaseModel):
    """A message to the judging model; its text may hold templates."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    role: Literal["user", "assistant", "system", "developer"]
    content: Template | TextPart | list[Template | TextPart]
    type: Literal["message"] = "message"

    def text(self) -> str:
        """All of its text, with a line between the parts."""
        parts = self.content if isinstance(self.content, list) else [self.content]
        return "\n".join(part if isinstance(part, str) else part.text for part in parts)


class Sampling(BaseModel):
    """How the judging model draws its answer."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    seed: int | None = None
    top_p: float | None = Field(None, gt=0, le=1)
    temperature: float | None = Field(None, ge=0, le=2)
    max_completions_tokens: int | None = Field(None, ge=1)
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh"] | None = None


class ScoreModel(_Described):
    """The number that a model answers with."""

    type: Literal["score_model"]
    model: str = Field(min_length=1)
    input: list[JudgeMessage] = Field(min_length=1)
    range: list[float] = Field([0.0, 1.0], min_length=2, max_length=2)
    sampling_params: Sampling | None = None

    @field_validator("range")
    @classmethod
    def _goes_up(cls, ends: list[float]) -> list[float]:
        low, high = ends
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise ValueError("must be two numbers, the lower first")
        return ends


OneGrader = Annotated[
    StringCheck | TextSimilarity | PythonCode | ScoreModel, Field(discriminator="type")
]


class Multi(_Described):
    """A formula over the rewards of other graders, which it calls by their names."""

    type: Literal["multi"] = "multi"
    graders: dict[str, OneGrader] = Field(min_length=1, max_length=MOST_GRADERS)
    calculate_output: str = Field(min_length=1, max_length=LONGEST_FORMULA)

    @model_validator(mode="before")
    @classmethod
    def _one_is_a_map_of_one(cls, given: Any) -> Any:
        """The published types have one grader where the guide has a map; both are taken."""
        if not isinstance(given, dict):
            return given
        graders = given.get("graders")
        if isinstance(graders, dict) and isinstance(graders.get("type"), str):
            return given | {"graders": {str(graders.get("name")): graders}}
        return given


Grader = Annotated[
    StringCheck | TextSimilarity | PythonCode | ScoreModel | Multi, Field(discriminator="type")
]
