"""Near copies: what small edits leave is found, and what says another thing is not."""

from __future__ import annotations

import json
import random
from collections.abc import Callable

import numpy as np
import pytest

from tunewright.data.check import check_rows
from tunewright.data.checks.index import look
from tunewright.data.findings import Finding
from tunewright.data.near import near_texts
from tunewright.data.rows import Rows
from tunewright.recipe.schema import Reads

CHANCE = random.Random(0)
LETTERS = "abcdefghijklmnopqrstuvwxyz"
VOCABULARY = ["".join(CHANCE.choices(LETTERS, k=CHANCE.randrange(2, 9))) for _ in range(900)]


def make(texts: list[str], source: str = "x.csv", *, reads: Reads = "text") -> Rows:
    labels = ["a", "b"] * (len(texts) // 2) + ["a"] * (len(texts) % 2)
    ids = [f"{i:032x}" for i in range(len(texts))]
    return Rows(texts, None, labels, ids, source, np.arange(2, len(texts) + 2), reads=reads)


def sentences(count: int, *, seed: int = 0, words: int = 9) -> list[str]:
    chance = random.Random(seed)
    return [" ".join(chance.choices(VOCABULARY, k=words)) for _ in range(count)]


def found(code: str, **parts: Rows) -> Finding | None:
    return next((f for f in check_rows(parts).findings if f.code == code), None)


def pairs_of(texts: list[str]) -> set[tuple[str, str]]:
    rows = make(texts)
    near = near_texts([rows], [rows.text_keys()])
    text = {int(number): texts[row] for row, number in enumerate(near.texts(rows.text_keys()))}
    found = ((text[one], text[two]) for one, two in near.pairs.tolist())
    return {(min(pair), max(pair)) for pair in found}


def typo(words: list[str]) -> list[str]:
    at = max(range(len(words)), key=lambda i: len(words[i]))
    return [*words[:at], words[at][:-2] + "é" + words[at][-1:], *words[at + 1 :]]


EDITS: dict[str, Callable[[list[str]], list[str]]] = {
    "typo": typo,
    "word dropped": lambda words: words[:3] + words[4:],
    "word added": lambda words: [*words[:5], "really", *words[5:]],
    "words swapped": lambda words: [*words[:2], words[3], words[2], *words[4:]],
    "punctuation and case": lambda words: [words[0].title() + ",", *words[1:], "!"],
}


@pytest.mark.parametrize("edit", EDITS)
def test_a_text_with_a_small_edit_is_near_and_no_others_are(edit: str) -> None:
    texts = sentences(200)
    edited = [" ".join(EDITS[edit](text.split())) for text in texts]
    planted = {(min(pair), max(pair)) for pair in zip(texts, edited, strict=True)}
    near = pairs_of([*texts, *edited])
    assert len(near & planted) >= 0.95 * len(planted)
    assert near <= planted


def test_long_texts_with_many_common_words_are_not_near() -> None:
    few = VOCABULARY[:120]
    texts = [" ".join(random.Random(i).choices(few, k=400)) for i in range(30)]
    assert pairs_of(texts) == set()
    copy = " ".join([*texts[0].split()[2:], "end"])
    assert pairs_of([*texts, copy]) == {(min(texts[0], copy), max(texts[0], copy))}


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("my order 17 has not come yet", "my order 18 has not come yet"),
        ("how do i activate my new card", "how do i return my broken card"),
        ("a question about apples and the weather", "a question about pears and the weather"),
        ("the dog of my neighbour has bitten me", "has me bitten neighbour the my of dog"),
        ("👍", "👎"),
        ("", "a"),
    ],
)
def test_what_says_another_thing_is_not_near(one: str, two: str) -> None:
    assert pairs_of([one, two, *sentences(20)]) == set()


def test_what_all_texts_are_written_in_does_not_make_them_near() -> None:
    form = "this is a message that a customer has sent to our shop by the form on the page "
    assert pairs_of([form + text for text in sentences(80, words=4)]) == set()


def test_the_order_of_the_rows_does_not_matter() -> None:
    texts = sentences(150, words=6)
    texts += [" ".join(EDITS["word dropped"](text.split())) for text in texts[:80]]
    shuffled = texts.copy()
    random.Random(1).shuffle(shuffled)
    assert pairs_of(texts) == pairs_of(shuffled)
    assert len(pairs_of(texts)) > 60


def test_a_near_duplicate_is_a_note_with_both_places() -> None:
    texts = sentences(40)
    finding = found("near-duplicate", all=make([*texts, texts[4] + " really"]))
    assert finding is not None
    assert (finding.severity, finding.count) == ("note", 1)
    assert finding.rows[0]["line"] == 42
    assert finding.rows[0]["near"] == "line 6 of x.csv"


@pytest.mark.parametrize(("other", "severity"), [("test", "error"), ("validation", "warning")])
def test_a_near_copy_in_another_part_is_a_near_leak(other: str, severity: str) -> None:
    texts = sentences(40)
    held = make([*sentences(20, seed=1), texts[4].upper() + "!!", texts[5]], "held.csv")
    finding = found("near-leak", **{"train": make(texts), other: held})
    assert finding is not None
    assert (finding.severity, finding.count) == (severity, 1)  # equal texts are leaks
    assert "line 6 of x.csv and line 22 of held.csv" in finding.message
    assert finding.rows[0]["near"] == "line 22 of held.csv"


def test_both_texts_of_a_pair_must_be_near() -> None:
    one, two = sentences(40), sentences(40, seed=1)
    one, two = [*one, one[0] + " really", one[1] + " really"], [*two, two[0], "another thing"]
    rows = make(one)
    pairs = Rows(**{**vars(rows), "pairs": two})
    finding = found("near-duplicate", all=pairs)
    assert finding is not None
    assert [row["near"] for row in finding.rows] == ["line 2 of x.csv"]


def chat(asked: str, answered: str) -> str:
    system = {"role": "system", "content": "You are kind. " * 30}
    said = [("user", asked), ("assistant", answered)]
    turns = [{"role": role, "content": content} for role, content in said]
    return json.dumps({"messages": [system, *turns]})


def test_conversations_are_near_by_their_prompts_whatever_the_system_message() -> None:
    asked, answered = sentences(40), sentences(40, seed=1)
    train = make([chat(*turns) for turns in zip(asked, answered, strict=True)], reads="chat")
    test = make([chat(asked[3] + " please", "yes"), chat("who are you", "a model")], reads="chat")
    index = look({"train": train, "test": test}, "tokens")
    assert len(index.near.pairs) == 1
    assert len(index.near_wholes.pairs) == 0
