"""Texts of a request: one, several, or tokens in place of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tunewright.serve.answers import ApiError

MOST_INPUTS = 2048
Input = str | list[int]


def as_inputs(given: Any, param: str) -> list[Input]:
    """Each text, or its tokens.

    Args:
        param: the field, for errors.
    Raises:
        ApiError: neither a text, nor tokens, nor a list of one of both.
    """
    if isinstance(given, str):
        return [given]
    if not isinstance(given, list) or not given:
        raise _wrong(param, "is missing or empty")
    if _are_tokens(given):
        return [given]
    if len(given) > MOST_INPUTS:
        raise _wrong(param, f"has {len(given):,} inputs, and may have {MOST_INPUTS:,}")
    if all(isinstance(each, str) for each in given) or all(map(_are_tokens, given)):
        return given
    raise _wrong(param, "is neither a text, nor tokens, nor a list of texts or of tokens")


def _are_tokens(given: Any) -> bool:
    return (
        isinstance(given, Sequence)
        and not isinstance(given, str)
        and len(given) > 0
        and all(isinstance(each, int) and not isinstance(each, bool) for each in given)
    )


def _wrong(param: str, why: str) -> ApiError:
    return ApiError(400, f"{param} {why}", param, "invalid_value")
