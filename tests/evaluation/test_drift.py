"""What is said of a model that moved from what it was."""

import numpy as np
import pytest

from tunewright.evaluation import reference
from tunewright.evaluation.drift import change, compare, is_lost, likeness, mean_cosine, of_right

RANDOM = np.random.default_rng(0)
VECTORS = RANDOM.normal(size=(200, 16))
DRAWN = {"resamples": 200, "seed": 0}


def test_the_reference_is_whole_and_even() -> None:
    texts, topics = reference.sentences()
    assert len(set(texts)) == 200
    assert np.bincount(topics).tolist() == [20] * 10
    assert len(set(reference.paragraphs())) == len(reference.questions()) == 40
    assert all(answers for _, answers in reference.questions())


def test_no_question_gives_its_answer_away() -> None:
    """Else a model that repeats the question would be right."""
    given = [
        asked for asked, answers in reference.questions() if reference.is_right(asked, answers)
    ]
    assert given == []


def test_a_turn_or_a_scale_of_all_vectors_is_no_drift_of_their_shape() -> None:
    turn, _ = np.linalg.qr(RANDOM.normal(size=(16, 16)))
    assert likeness(VECTORS, 3 * VECTORS @ turn + 1) == pytest.approx(1)
    assert mean_cosine(VECTORS, 3 * VECTORS) == pytest.approx(1)
    assert mean_cosine(VECTORS, -VECTORS) == pytest.approx(-1)


def test_the_more_noise_the_less_of_the_shape_is_kept() -> None:
    noise = RANDOM.normal(size=VECTORS.shape)
    kept = [likeness(VECTORS, VECTORS + much * noise) for much in (0, 0.3, 1, 3)]
    assert kept == sorted(kept, reverse=True)
    assert kept[-1] < 0.6


def test_a_model_loses_nothing_against_itself() -> None:
    right, ones = of_right(RANDOM.random(40) < 0.5)
    found = compare("accuracy", right, right, ones, **DRAWN)
    assert found["difference"] == {"value": 0, "low": 0, "high": 0}
    assert not is_lost("accuracy", found)
    assert change("accuracy", found, "40 questions").startswith("stayed at ")


def test_a_loss_is_told_with_its_interval_and_only_where_the_texts_show_it() -> None:
    before, ones = of_right(np.ones(100, dtype=bool))
    fewer, _ = of_right(np.arange(100) >= 20)
    found = compare("accuracy", before, fewer, ones, **DRAWN)
    assert is_lost("accuracy", found)
    said = change("accuracy", found, "100 questions")
    assert said.startswith("fell from 100.0 % to 80.0 %, −20.0 points [−")
    assert "no change" not in said
    one_less, _ = of_right(np.arange(100) >= 1)
    found = compare("accuracy", before, one_less, ones, **DRAWN)
    assert not is_lost("accuracy", found)
    assert "no change that 100 questions can show" in change("accuracy", found, "100 questions")


def test_a_loss_that_rose_by_next_to_nothing_does_not_matter() -> None:
    nats, tokens = RANDOM.uniform(50, 90, size=40), np.full(40, 25.0)
    kinds = np.ones(40, dtype=bool)

    def of(shift: float) -> np.ndarray:
        return np.stack([nats + shift * tokens, tokens, tokens / 2], axis=1)

    little, much = (compare("loss", of(0), of(shift), kinds, **DRAWN) for shift in (0.01, 0.2))
    assert not is_lost("loss", little)
    assert is_lost("loss", much)
    assert change("loss", much, "40 paragraphs").startswith("rose from ")
    assert "+0.200 [0.200, 0.200]" in change("loss", much, "40 paragraphs")
