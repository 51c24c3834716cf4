"""Baselines answer for every class, learn what words can teach, and can be fitted again."""

from __future__ import annotations

import numpy as np
import pytest

from plain_rows import plain_rows
from tunewright.data import rows
from tunewright.evaluation import baselines
from tunewright.evaluation.metrics import score


def tickets(num_rows: int, num_classes: int, seed: int = 0) -> tuple[list[str], np.ndarray]:
    """Texts that name their class once among words that do not."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, num_classes, num_rows)
    noise = generator.integers(0, 50, (num_rows, 5))
    texts = [
        " ".join(f"word{n}" for n in row) + f" topic{'abcdefgh'[label]}"
        for row, label in zip(noise, labels, strict=True)
    ]
    return texts, labels


def tfidf(texts: list[str], labels: np.ndarray, unseen: list[str], num_classes: int) -> np.ndarray:
    fitted = baselines.fit_baselines(plain_rows(texts), labels, num_classes, seed=0)
    return next(one for one in fitted if one.name == "tfidf").answers(plain_rows(unseen))


def test_majority_gives_every_row_the_frequencies_of_training() -> None:
    found = baselines.majority(np.array([0, 0, 0, 1]), 2, 3)
    np.testing.assert_allclose(found, np.tile([0.75, 0.25], (3, 1)))


def test_a_class_absent_from_training_keeps_the_share_of_one_row() -> None:
    found = baselines.majority(np.array([0, 0, 0, 1]), 3, 1)
    np.testing.assert_allclose(found, [[0.6, 0.2, 0.2]])


def test_tfidf_learns_what_the_words_say() -> None:
    texts, labels = tickets(200, 4)
    unseen, answers = tickets(100, 4, seed=1)
    found = tfidf(texts, labels, unseen, 4)
    assert score("accuracy", found, answers) > 0.95


def test_tfidf_answers_for_classes_that_training_never_showed() -> None:
    texts, labels = tickets(60, 3)
    found = tfidf(texts, labels * 2, texts, 6)
    assert found.shape == (60, 6)
    assert (found > 0).all()
    np.testing.assert_allclose(found.sum(axis=1), 1)


@pytest.mark.parametrize(
    ("texts", "labels"),
    [(["a", "b"], [1, 1]), (["", "!!"], [0, 1]), (["", " "], [0, 1])],
    ids=["one class", "no words", "no characters"],
)
def test_tfidf_of_nothing_to_learn_from_still_answers(texts: list[str], labels: list[int]) -> None:
    found = tfidf(texts, np.array(labels), ["new"], 2)
    np.testing.assert_allclose(found.sum(axis=1), 1)


def test_fitting_again_gives_the_same_answers() -> None:
    texts, labels = tickets(120, 3)
    first, again = (baselines.fit_baselines(plain_rows(texts), labels, 3, seed=5) for _ in range(2))
    assert [fitted.name for fitted in first] == ["majority", "tfidf"]
    for one, other in zip(first, again, strict=True):
        assert one.seconds >= 0
        np.testing.assert_array_equal(
            one.answers(plain_rows(texts)), other.answers(plain_rows(texts))
        )


def test_a_fitted_baseline_can_be_asked_for_any_part() -> None:
    texts, labels = tickets(90, 3)
    for fitted in baselines.fit_baselines(plain_rows(texts), labels, 3, seed=0):
        assert fitted.answers(plain_rows(texts[:7])).shape == (7, 3)
        assert fitted.answers(plain_rows([])).shape == (0, 3)


def test_character_features_are_dropped_where_they_would_be_slow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    texts, labels = tickets(60, 3)
    monkeypatch.setattr(baselines, "CHEAP_CHARACTERS", 10)
    found = tfidf(texts, labels, texts, 3)
    assert score("accuracy", found, labels) == 1.0


def test_of_too_many_characters_rows_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    texts, labels = tickets(200, 4)
    monkeypatch.setattr(baselines, "MOST_CHARACTERS", sum(map(len, texts)) // 2)
    _, fitted = baselines.fit_baselines(plain_rows(texts), labels, 4, seed=0)
    assert 90 < fitted.rows < 110
    assert score("accuracy", fitted.answers(plain_rows(texts)), labels) > 0.95


def test_texts_are_answered_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    texts, labels = tickets(200, 4)
    _, fitted = baselines.fit_baselines(plain_rows(texts), labels, 4, seed=0)
    whole = fitted.answers(plain_rows(texts))
    monkeypatch.setattr(rows, "CHUNK_ROWS", 7)
    np.testing.assert_allclose(fitted.answers(plain_rows(texts)), whole)
