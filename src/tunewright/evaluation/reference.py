"""General English texts that no user trains on: what a model makes of them, before and after, is compared.

Short sentences by topic, paragraphs, and questions with one short answer, all written for this.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np

from tunewright.evaluation.scored import Ints

FOLDER = Path(__file__).parent / "reference"
CHARACTERS_OF_TOKEN = 4  # of English, by most tokenizers
ASKED = "Answer in one or two words. "
ANSWER_TOKENS = 24  # at most, of an answer to a question


def sentences() -> tuple[list[str], Ints]:
    """200 short sentences, and the number of each one's topic."""
    rows = _rows("sentences.csv")
    topics = sorted({row["topic"] for row in rows})
    return [row["text"] for row in rows], np.array([topics.index(row["topic"]) for row in rows])


def paragraphs() -> list[str]:
    """40 of a few sentences each."""
    return (FOLDER / "paragraphs.txt").read_text("utf-8").strip().split("\n\n")


def questions() -> list[tuple[str, tuple[str, ...]]]:
    """40 questions, and the answers to each that are right."""
    return [
        (ASKED + row["question"], tuple(row["answers"].split("|")))
        for row in _rows("questions.csv")
    ]


def is_right(said: str, answers: tuple[str, ...]) -> bool:
    """Whether one of the answers is said, as whole words, whatever is said around it.

    A model that learned to answer in sentences has not forgotten what it says in them.

    >>> is_right("The answer is Carbon  dioxide.", ("carbon dioxide",)), is_right("500", ("50",))
    (True, False)
    """
    return any(f" {plain(answer)} " in f" {plain(said)} " for answer in answers)


def plain(text: str) -> str:
    """Lower case words alone.

    >>> plain("It's, well -- PARIS!")
    'it s well paris'
    """
    return " ".join(re.findall(r"\w+", text.lower()))


def tokens_of(texts: list[str]) -> int:
    """About how many tokens these texts are."""
    return sum(map(len, texts)) // CHARACTERS_OF_TOKEN


def _rows(name: str) -> list[dict[str, str]]:
    with (FOLDER / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
