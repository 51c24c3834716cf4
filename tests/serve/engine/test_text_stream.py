"""Texts told token by token are the whole text, and never a part of a stop text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

from tiny_chats import write_chat_model
from tunewright.backends.draws import Drawn
from tunewright.serve.engine.text_stream import TextStream

TEXTS = (
    "the parcel is late",
    "漢字 – ✓ 🦜🦜 ünïcödé",
    "a  refund\n\n\tof 12, 5 <think> </s>",
    "<|im_start|>user\nhi<|im_end|>",
    "",
)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder: Path = write_chat_model(tmp_path_factory.mktemp("models") / "llama")
    return AutoTokenizer.from_pretrained(folder)


def told(tokenizer: Any, ids: list[int], *stops: str) -> tuple[list[str], list[Drawn]]:
    stream = TextStream(lambda some: tokenizer.decode(some, skip_special_tokens=True), stops)
    pieces, tokens = [], []
    for token in ids:
        text, new = stream.take(Drawn(token))
        pieces.append(text)
        tokens += new
        if stream.stopped:
            break
    text, new = stream.end()
    return [*pieces, text], [*tokens, *new]


@pytest.mark.parametrize("text", TEXTS)
def test_the_pieces_are_the_whole_text(tokenizer: Any, text: str) -> None:
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    pieces, tokens = told(tokenizer, ids)
    assert "".join(pieces) == tokenizer.decode(ids, skip_special_tokens=True)
    assert [each.token for each in tokens] == ids


def test_half_a_letter_is_held_back_until_it_is_whole(tokenizer: Any) -> None:
    ids = tokenizer("a 🦜 b", add_special_tokens=False)["input_ids"]
    pieces, _ = told(tokenizer, ids)
    assert not any("\ufffd" in piece for piece in pieces)
    assert "".join(told(tokenizer, ids[:3])[0]).startswith("a")


@pytest.mark.parametrize("stop", ["refund", "fund of", " 12", "2,", "nd", "xx"])
def test_nothing_of_a_stop_text_is_told(tokenizer: Any, stop: str) -> None:
    text = "a refund of 12, 5 refunds"
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    for stops in ([stop], [stop, "never"], ["never", stop, "refundx"]):
        pieces, tokens = told(tokenizer, ids, *stops)
        assert "".join(pieces) == text.split(stop)[0]
        assert len(tokens) <= len(ids)
        for cut in range(len(pieces)):
            assert stop not in "".join(pieces[:cut])
