"""Texts become tokens a few at a time, and of a long one only the beginning is read."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from tunewright.backends import tokens
from tunewright.backends.tokens import tokenize

SENTENCES = [
    "The cable broke after two days, and nobody answered my letters!",
    "  spaces \t and\n\nlines  ",
    "naïve café — “quotes”, 5.99 € (see p. 12/13)",
    "产品很好 但是 物流太慢了",
    "🙂🙂 ok\x00\x1f fine\u200bwhere",
    "word" * 60,
]
LONG = [" ".join(SENTENCES[start:] + SENTENCES * 40) for start in range(len(SENTENCES))]


def word_piece() -> Tokenizer:
    made = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return made


def byte_pairs() -> Tokenizer:
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    return made


def unigram() -> Tokenizer:
    made = Tokenizer(models.Unigram())
    made.normalizer = normalizers.NFKC()
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    return made


KINDS = {
    "word pieces": (word_piece, trainers.WordPieceTrainer),
    "byte pairs": (byte_pairs, trainers.BpeTrainer),
    "unigram": (unigram, trainers.UnigramTrainer),
}


def trained(kind: str, side: str = "right") -> Any:
    make, trainer = KINDS[kind]
    made = make()
    special = ["[PAD]", "[UNK]"]
    unknown = {"unk_token": "[UNK]"} if kind == "unigram" else {}
    made.train_from_iterator(
        SENTENCES * 3, trainer(vocab_size=300, special_tokens=special, **unknown)
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        pad_token="[PAD]",
        unk_token="[UNK]",
        truncation_side=side,
        model_input_names=["input_ids", "attention_mask"],
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("length", [1, 7, 40])
def test_the_beginning_of_a_long_text_gives_the_tokens_of_the_whole(kind: str, length: int) -> None:
    tokenizer = trained(kind)
    found = tokenize(tokenizer, LONG, None, length)
    whole = tokenizer(LONG, truncation=True, max_length=length)["input_ids"]
    assert found.ids.tolist() == [token for row in whole for token in row]


def test_the_end_is_read_where_the_beginning_is_cut_off() -> None:
    tokenizer = trained("word pieces", side="left")
    found = tokenize(tokenizer, LONG, None, 9)
    whole = tokenizer(LONG, truncation=True, max_length=9)["input_ids"]
    assert found.ids.tolist() == [token for row in whole for token in row]


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = trained("word pieces")
    whole = tokenize(tokenizer, SENTENCES * 5, SENTENCES[::-1] * 5, 30)
    monkeypatch.setattr(tokens, "in_chunks", one_by_one)
    found = tokenize(tokenizer, SENTENCES * 5, SENTENCES[::-1] * 5, 30)
    np.testing.assert_array_equal(found.ids, whole.ids)
    np.testing.assert_array_equal(found.starts, whole.starts)


def one_by_one(texts: list[str], pairs: list[str]) -> Any:
    for text, pair in zip(texts, pairs, strict=True):
        yield [text], [pair]
