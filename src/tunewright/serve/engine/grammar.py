"""Answers that are JSON of a schema: which tokens may follow, by the llguidance library."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from llguidance import LLMatcher, LLTokenizer

from tunewright.backends.call_form import CallForm
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
        self._special = {
            token.content: number
            for number, token in tokenizer.added_tokens_decoder.items()
            if token.special
        }
        alone = copy.copy(tokenizer.backend_tokenizer)
        alone.no_padding()
        alone.no_truncation()
        self._tokens = LLTokenizer(
            alone.to_str(), n_vocab=max(known_tokens, len(tokenizer)), eos_token=list(stop_ids)
        )

    def bytes_of(self, token: int) -> bytes:
        """What a token stands for."""
        return bytes(self._tokens.decode_bytes([token]))

    def of_schema(self, schema: Mapping[str, Any], param: str) -> Callable[[], Grammar]:
        """What makes a grammar for each answer.

        Raises:
            ApiError: the schema is none, or asks for what cannot be held to.
        """
        try:
            grammar = LLMatcher.grammar_from_json_schema(json.dumps(schema), overrides=OPTIONS)
        except ValueError as error:
            raise _refused(str(error), param) from None
        return self._made(grammar, param)

    def of_call(
        self, form: CallForm, tools: Sequence[Mapping[str, Any]], param: str
    ) -> Callable[[], Grammar]:
        """What makes a grammar of answers that are a call of one of these tools.

        Raises:
            ApiError: as `of_schema`.
        """
        schema = json.dumps({**form.schema(tools), "x-guidance": OPTIONS})
        parts = [*self._literal(form.begin), "call", *self._literal(form.end)]
        return self._made(
            LLMatcher.grammar_from_lark(f"start: {' '.join(parts)}\ncall: %json {schema}"), param
        )

    def _literal(self, text: str) -> list[str]:
        """A text in a grammar: special tokens by their numbers, the rest in quotes."""
        parts = re.split(f"({'|'.join(map(re.escape, self._special))})", text)
        return [
            f"<[{self._special[part]}]>" if part in self._special else json.dumps(part)
            for part in parts
            if part
        ]

    def _made(self, grammar: str, param: str) -> Callable[[], Grammar]:
        wrong, told = LLMatcher.validate_grammar_with_warnings(grammar, self._tokens)
        if wrong or told:
            raise _refused("; ".join(told), param)
        return lambda: Grammar(self._tokens, grammar)


def _refused(why: str, param: str) -> ApiError:
    return ApiError(400, f"This schema cannot be held to: {why}", param, "invalid_json_schema")
