import math

import pytest

from tunewright.grading.alikeness import alikeness, cosine, fuzzy_match

GUIDE = (
    "It is a guide to action which ensures that the military always obeys the commands of the party",
    "It is a guide to action that ensures that the military will forever heed Party commands",
)
# Answer, reference, METEOR (without synonyms) and GLEU as NLTK 3.10.4 computes them.
AS_NLTK = [
    ("the cat sat on the mat", "the cat sat on the mat", 0.997685, 1.0),
    ("on the mat sat the cat", "the cat sat on the mat", 0.5, 0.555556),
    (*GUIDE, 0.694444, 0.454545),
    ("running dogs", "the dog runs", 0.344828, 0.0),
    ("no overlap", "totally different text", 0.0, 0.0),
    ("fuzzy wuzzy had no hair", "fuzzy wuzzy was a bear", 0.375, 0.214286),
    ("the the the", "the cat the", 0.333333, 0.333333),
    ("a", "a", 0.5, 1.0),
]
METRICS = ["fuzzy_match", "bleu", "gleu", "meteor", *(f"rouge_{n}" for n in (1, 2, 3, 4, 5, "l"))]


@pytest.mark.parametrize(("answer", "reference", "meteor", "gleu"), AS_NLTK)
def test_meteor_and_gleu_are_those_of_nltk(
    answer: str, reference: str, meteor: float, gleu: float
) -> None:
    assert alikeness("meteor", answer, reference) == pytest.approx(meteor, abs=1e-6)
    assert alikeness("gleu", answer, reference) == pytest.approx(gleu, abs=1e-6)


@pytest.mark.parametrize("metric", METRICS)
def test_each_metric_lies_between_nothing_and_the_same(metric: str) -> None:
    same = "the quick brown fox jumps over the lazy dog"
    assert alikeness(metric, same, same) == pytest.approx(1.0, abs=1e-3)
    assert alikeness(metric, "xyz", "abc def") == 0.0
    assert 0 < alikeness(metric, "the quick brown fox jumps high", same) < 1
    for empty in (("", ""), ("", "a word"), ("a word", "")):
        assert 0.0 <= alikeness(metric, *empty) <= 1.0


def test_a_fuzzy_match_is_the_ratio_of_rapidfuzz() -> None:
    assert fuzzy_match("fuzzy wuzzy was a bear", "fuzzy wuzzy had no hair") == pytest.approx(
        2 * 17 / 45
    )
    assert fuzzy_match("abcd", "abxd") == pytest.approx(0.75)


def test_cosine_asks_the_embedding_for_both_texts_at_once() -> None:
    asked: list[list[str]] = []

    def embed(texts: object) -> list[list[float]]:
        asked.append(list(texts))  # type: ignore[call-overload]
        return [[1.0, 0.0], [1.0, 1.0]]

    assert alikeness("cosine", "a", "b", embed=embed) == pytest.approx(math.sqrt(0.5))
    assert asked == [["a", "b"]]


def test_cosine_of_nothing_or_of_no_number_is_zero() -> None:
    assert cosine([0.0, 0.0], [1.0, 2.0]) == 0.0
    assert cosine([math.nan, 0.0], [1.0, 2.0]) == 0.0
    with pytest.raises(ValueError, match="cosine"):
        alikeness("cosine", "a", "b")
