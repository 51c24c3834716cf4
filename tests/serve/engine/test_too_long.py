"""A text that is far too long is refused by its beginning."""

from __future__ import annotations

import pytest

from tunewright.serve.answers import ApiError
from tunewright.serve.engine.too_long import MOST_LETTERS, refuse_endless, refuse_more_letters


def test_only_the_beginning_of_an_endless_text_is_cut_into_tokens() -> None:
    read: list[int] = []

    def count(text: str) -> int:
        read.append(len(text))
        return len(text) // 4

    with pytest.raises(ApiError, match="context is 100 tokens") as refused:
        refuse_endless("word " * 1_000_000, count, longest=100, param="messages")
    assert refused.value.code == "context_length_exceeded"
    assert refused.value.param == "messages"
    assert read == [800]


def test_a_text_of_long_tokens_may_be_long() -> None:
    read: list[int] = []

    def count(text: str) -> int:
        read.append(len(text))
        return len(text) // 100

    refuse_endless(" " * 9_000, count, longest=100, param=None)
    assert read == [800, 3200]


def test_a_classifier_leaves_no_more_than_a_million_letters_unread() -> None:
    refuse_more_letters("a" * MOST_LETTERS, "messages")
    with pytest.raises(ApiError, match="1,000,001 letters"):
        refuse_more_letters("a" * (MOST_LETTERS + 1), "messages")
