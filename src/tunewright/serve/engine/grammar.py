"""Answers that are JSON of a schema: which tokens may follow, by the llguidance library."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from llguidance import LLMatcher, LLTokenizer

from tunewright.serve.answers import ApiError

OPTIONS: Any = {"whitespace_pattern": r"( |\n {0,16})?", "lenient": False}
"""Otherwise an answer may be white space without end."""
ANY_OBJECT: dict[str, Any] = {"type": "object"}


class Grammar:
    """How far one answer is in what it may say.

    Args:
        grammar: as llguidance writes it, and found to be one.
    """

    def __init__(self, tokens: LLTokenizer, grammar: str) -> None:
        self._matcher = LLMatcher(tokens, grammar)

    def allowed(self) -> np.ndarray:
        """int32, a bit for each token that may follow."""
        bits = np.frombuffer(self._matcher.compute_bitmask(), dtype=np.int32)
        self._refuse_error()
        return bits

    def take(self, token: int) -> None:
        """Go on by a token that was allowed."""
        self._matcher.consume_token(token)
        self._refuse_error()

    def is_over(self) -> bool:
        """Whether nothing may follow but the end."""
        return bool(self._matcher.is_stopped())

    def _refuse_error(self) -> None:
        if self._matcher.is_error():
            raise ApiError(400, f"The schema cannot be followed: {self._matcher.get_error()}")


class Grammars:
    """Of one tokenizer.

    Args:
        stop_ids: tokens that end an answer.
    """

    def __init__(self, tokenizer: Any, stop_ids: Sequence[int], known_tokens: int) -> None:
        alone = copy.copy(tokenizer.backend_tokenizer)
        alone.no_padding()
        alone.no_truncation()
        self._tokens = LLTokenizer(
            alone.to_str(), n_vocab=max(known_tokens, len(tokenizer)), eos_token=list(stop_ids)
        )

    def of_schema(self, schema: Mapping[str, Any], param: str) -> Callable[[], Grammar]:
        """What makes a grammar for each answer.

        Raises:
            ApiError: the schema is none, or asks for what cannot be held to.
        """
        try:
            grammar = LLMatcher.grammar_from_json_schema(json.dumps(schema), overrides=OPTIONS)
        except ValueError as error:
            raise _refused(str(error), param) from None
        wrong, told = LLMatcher.validate_grammar_with_warnings(grammar, self._tokens)
        if wrong or told:
            raise _refused("; ".join(told), param)
        return lambda: Grammar(self._tokens, grammar)


def _refused(why: str, param: str) -> ApiError:
    return ApiError(400, f"This schema cannot be held to: {why}", param, "invalid_json_schema")
