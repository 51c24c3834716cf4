"""Fields that several requests for answers share, and those that no request can be granted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, Field

from tunewright.serve.answers import ApiError
from tunewright.serve.bodies import Body

MOST_STOPS = 4
TokenName = Annotated[int, Field(strict=False)]
"""In JSON every key is a text."""
Bias = Annotated[float, Field(ge=-100, le=100)]


class StreamOptions(Body):
    """`stream_options`"""

    include_usage: bool = False
    include_obfuscation: bool | None = None


class Sampling(Body):
    """How the tokens of an answer are drawn, and who asks."""

    model: str
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, ge=0, le=1)
    user: str | None = None


class Drawing(Sampling):
    """What chat and plain completions share."""

    n: int | None = Field(None, ge=1, le=128)
    seed: int | None = Field(None, ge=-(2**63), lt=2**63)
    stop: str | list[str] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    frequency_penalty: float | None = Field(None, ge=-2, le=2)
    presence_penalty: float | None = Field(None, ge=-2, le=2)
    logit_bias: dict[TokenName, Bias] | None = None

    @property
    def stops(self) -> tuple[str, ...]:
        """The stop texts.

        Raises:
            ApiError: more than four.
        """
        given = [self.stop] if isinstance(self.stop, str) else self.stop or []
        if len(given) > MOST_STOPS:
            raise ApiError(400, f"stop has {len(given)} texts, of {MOST_STOPS}", "stop")
        return tuple(given)


def refuse_ungranted(body: BaseModel, granted: Mapping[str, tuple[Any, ...]]) -> None:
    """Raise ApiError for a field that is known, and that this server cannot honour.

    Args:
        granted: such a field → its values that ask for nothing.
    """
    for name, harmless in granted.items():
        value = getattr(body, name)
        if value is not None and value not in harmless:
            only = f"; it may be {', '.join(map(repr, harmless))}" if harmless else ""
            raise ApiError(
                400,
                f"'{name}' cannot be honoured by this server: leave it out{only}",
                name,
                "unsupported_parameter",
            )
    options = getattr(body, "stream_options", None)
    if options is not None and not getattr(body, "stream", None):
        raise ApiError(400, "stream_options without stream", "stream_options", "invalid_value")
    if options is not None and options.include_obfuscation:
        raise ApiError(
            400,
            "stream_options.include_obfuscation cannot be honoured by this server: leave it out",
            "stream_options.include_obfuscation",
            "unsupported_parameter",
        )
