"""Rows that are cut: which, and how much of each."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from training import as_rows
from tunewright.backends.folder import read_config
from tunewright.backends.tokens import TextReader
from tunewright.backends.truncation import truncation

WORDS = [3, 30, 14, 15, 100]  # with [CLS] and [SEP] two tokens more


def reader_of(folder: Path) -> TextReader:
    return TextReader(folder, read_config(folder))


def test_every_token_that_is_cut_is_counted(tiny_bert: Path) -> None:
    rows = as_rows([(" ".join(["the"] * words), "billing") for words in WORDS])
    reader = reader_of(tiny_bert)
    found = truncation(reader, rows, reader.read(rows.texts, None, 16).lengths, 16)
    assert found.rows.tolist() == [4, 1, 3]
    assert found.lost.tolist() == [86, 16, 1]
    assert found.tokens == sum(WORDS) + 2 * len(WORDS)
    assert found.longest == 102


def test_of_pairs_both_texts_count(tiny_bert: Path) -> None:
    rows = as_rows([("the " * 10, "billing"), ("the " * 4, "billing")], second=True)
    reader = reader_of(tiny_bert)
    found = truncation(reader, rows, reader.read(rows.texts, rows.pairs, 12).lengths, 12)
    assert found.lost.tolist() == [5, 5]


def test_nothing_is_lost_where_nothing_is_cut(tiny_bert: Path) -> None:
    rows = as_rows([("the my", "billing")] * 3)
    reader = reader_of(tiny_bert)
    for limit in (16, None):
        found = truncation(reader, rows, reader.read(rows.texts, None, 16).lengths, limit)
        assert (len(found.rows), found.share) == (0, 0.0)


def test_of_a_long_document_the_end_is_counted_in_proportion(tiny_bert: Path) -> None:
    rows = as_rows([("the " * 50_000, "billing"), ("my", "billing")])
    reader = reader_of(tiny_bert)
    found = truncation(reader, rows, reader.read(rows.texts, None, 16).lengths, 16)
    np.testing.assert_allclose(found.lost, [50_000], rtol=0.01)
