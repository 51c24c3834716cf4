"""Views of texts: what may change in them, what never does."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pytest

from tunewright.data.augment import texts
from tunewright.data.augment.typing_errors import KEYBOARD, SHORTEST, slip
from tunewright.data.augment.words import is_negation, joined, words_of

SYNONYMS = {"big": ["large"], "movie": ["film"], "not": ["ever"], "40": ["50"], "bad": ["poor"]}
CHANGES = {
    "delete": texts.deleted,
    "swap": texts.swapped,
    "typing": texts.mistyped,
    "synonym": texts.replaced_by(SYNONYMS),
}
TEXT = "I do not think the BIG movie was bad, it's never worth $40 or @somebody's 3 hours."


def view(name: str, text: str = TEXT, seed: int = 0, strength: float = 0.2) -> str:
    return texts.view_of(text, [CHANGES[name]], strength, np.random.default_rng(seed))


@pytest.mark.parametrize("name", CHANGES)
def test_a_view_is_a_pure_function_of_its_draw(name: str) -> None:
    assert [view(name, seed=seed) for seed in range(9)] == [view(name, seed=s) for s in range(9)]
    assert len({view(name, seed=seed, strength=0.1) for seed in range(9)}) > 1


@pytest.mark.parametrize("name", CHANGES)
def test_negations_numbers_and_names_are_never_touched(name: str) -> None:
    kept = [str(word) for word in words_of(TEXT) if not word.free]
    assert kept == ["not", "never", "$40", "@somebody's", "3"]
    for seed in range(60):
        words = view(name, seed=seed, strength=0.9).split()
        assert [word for word in words if word in kept] == kept


@pytest.mark.parametrize("name", CHANGES)
def test_short_rows_are_left_alone(name: str) -> None:
    for text in ("", "not bad", "the  big\tmovie was", "big big big big"):
        assert view(name, text, strength=1.0) == text


@pytest.mark.parametrize("name", CHANGES)
def test_no_more_words_change_than_asked(name: str) -> None:
    words = TEXT.split()
    for seed in range(30):
        changed = view(name, seed=seed, strength=0.15).split()
        gone = sum((Counter(words) - Counter(changed)).values())
        assert gone <= round(0.15 * len(words)) * (2 if name == "swap" else 1)


def test_a_text_without_a_word_to_change_stays_as_it_is_written() -> None:
    text = "Never,  never   not 1 2 3"
    assert {view(name, text) for name in CHANGES} == {text}


def test_signs_stay_when_a_word_goes() -> None:
    words = words_of('He said "wonderful", again and again!')
    made = texts.deleted(words, [2, 5], np.random.default_rng(0))
    assert joined(made) == 'He said ", again and !'.replace('",', '"",')


def test_swapping_keeps_every_word_and_every_sign_in_its_place() -> None:
    for seed in range(20):
        found = view("swap", seed=seed)
        assert sorted(re.findall(r"[\w']+", found)) == sorted(re.findall(r"[\w']+", TEXT))
        assert "," in found.split()[8]


def test_a_synonym_is_written_as_large_as_the_word() -> None:
    found = {
        view("synonym", "The BIG Movie was big to me", seed=s, strength=0.1) for s in range(30)
    }
    assert found == {
        "The LARGE Movie was big to me",
        "The BIG Film was big to me",
        "The BIG Movie was large to me",
    }


def test_a_slip_of_the_finger_is_one_letter_off() -> None:
    random = np.random.default_rng(0)
    for _ in range(200):
        slipped = slip("keyboard", random)
        assert slipped[0] == "k"
        assert len(slipped) in (7, 8)
        if len(slipped) == 8 and sorted(slipped) != sorted("keyboard"):
            ((was, now),) = [(a, b) for a, b in zip("keyboard", slipped, strict=True) if a != b]
            assert now in KEYBOARD[was]
    assert slip("keyboard"[: SHORTEST - 1], random) == "key"
    assert slip("приветик", random)  # no neighbours are known: it may stay


def test_neighbours_on_the_keyboard_are_each_other_s() -> None:
    assert set(KEYBOARD["g"]) == set("ftyhbv")
    assert all(key in KEYBOARD[other] for key, others in KEYBOARD.items() for other in others)


@pytest.mark.parametrize(
    ("word", "negates"),
    [("n't", True), ("Couldn’t", True), ("WITHOUT", True), ("nicht", True), ("note", False)],
)
def test_negations_are_known(word: str, negates: bool) -> None:
    assert is_negation(word) is negates
