"""Cheap models that a fine-tuned one has to beat.

N rows, C classes. Fitted from the training rows alone, in seconds, and never stored: fitting
again with the same seed gives the same answers.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tunewright.data.rows import in_chunks
from tunewright.evaluation.metrics import Floats, Ints

WORD_FEATURES = 20_000
CHARACTER_FEATURES = 20_000
CHEAP_WORK = 400_000  # rows x classes up to which character n-grams are added
CHEAP_CHARACTERS = 4_000_000  # and characters in all texts
LONGEST_TEXT = 4_000  # characters read of each text
MOST_CHARACTERS = 20_000_000  # read in all; of more, rows are drawn
FEW_ROWS = 300
SMALL_WORK = 20_000  # rows x classes up to which the penalty is chosen by cross-validation
PENALTIES = (1.0, 10.0, 100.0)  # inverse strength, scikit-learn's C
USUAL_PENALTY = 10.0


Answer = Callable[[Sequence[str]], Floats]


@dataclass(frozen=True)
class FittedBaseline:
    """A baseline that can be asked for any part of the data.

    Args:
        seconds: what fitting took.
        rows: how many it was fitted on.
        probabilities: texts → float64 (len(texts), C); each row sums to one.
    """

    name: str
    seconds: float
    rows: int
    probabilities: Answer


def fit_baselines(
    train_texts: Sequence[str], train_labels: Ints, num_classes: int, *, seed: int
) -> list[FittedBaseline]:
    """Fit `majority`, and `tfidf`: logistic regression on tf-idf n-grams.

    Args:
        train_texts: N texts; the two texts of a pair joined by " [SEP] ".
        train_labels: int (N,).
        num_classes: C; labels may be absent from the training rows.
        seed: of the folds of cross-validation.
    """
    labels = np.asarray(train_labels)
    rows = _read(train_texts, seed)

    def tfidf() -> Answer:
        texts = [train_texts[row][:LONGEST_TEXT] for row in rows.tolist()]
        return _fit_tfidf(texts, labels[rows], num_classes, seed)

    return [
        _timed("majority", len(labels), lambda: _fit_majority(labels, num_classes)),
        _timed("tfidf", len(rows), tfidf),
    ]


def majority(train_labels: Ints, num_classes: int, n: int) -> Floats:
    """The classes' frequencies in training, for each of `n` rows: float64 (n, C).

    A class that training never showed gets the share of one row, so that it is not impossible.
    """
    counts = np.bincount(train_labels, minlength=num_classes).astype(np.float64)
    counts[counts == 0] = 1.0
    return np.tile(counts / counts.sum(), (n, 1))


def _timed(name: str, rows: int, fit: Callable[[], Answer]) -> FittedBaseline:
    start = time.perf_counter()
    answer = fit()
    return FittedBaseline(name, time.perf_counter() - start, rows, answer)


def _read(texts: Sequence[str], seed: int) -> Ints:
    """The rows to fit on: all, or as many drawn ones as there may be characters."""
    lengths = np.fromiter((min(len(text), LONGEST_TEXT) for text in texts), np.int64, len(texts))
    drawn = np.random.default_rng(seed).permutation(len(texts))
    return np.sort(drawn[np.cumsum(lengths[drawn]) <= MOST_CHARACTERS])


def _fit_majority(labels: Ints, num_classes: int) -> Answer:
    return lambda texts: majority(labels, num_classes, len(texts))


def _fit_tfidf(texts: list[str], labels: Ints, num_classes: int, seed: int) -> Answer:
    if len(np.unique(labels)) < 2:
        return _fit_majority(labels, num_classes)
    cheap = len(texts) * num_classes <= CHEAP_WORK and sum(map(len, texts)) <= CHEAP_CHARACTERS
    vectorizer = _vectorizer(with_characters=cheap)
    try:
        features = vectorizer.fit_transform(texts)
    except ValueError as error:
        if "empty vocabulary" not in str(error):
            raise
        return _fit_majority(labels, num_classes)  # texts without a single word
    model = _regression(features, labels, _penalty(features, labels, num_classes, seed))
    rare = 1.0 / (len(labels) + num_classes)  # probability of a class that training never showed

    def answer(texts: Sequence[str]) -> Floats:
        full = np.full((len(texts), num_classes), rare)
        first = 0
        for some, _ in in_chunks(text[:LONGEST_TEXT] for text in texts):
            rows = slice(first, first + len(some))
            full[rows, model.classes_] = model.predict_proba(vectorizer.transform(some))
            first = rows.stop
        return np.asarray(full / full.sum(axis=1, keepdims=True))

    return answer


def _vectorizer(*, with_characters: bool) -> Any:
    """Words and word pairs, and the character n-grams inside words."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_union

    words = TfidfVectorizer(
        ngram_range=(1, 2),
        token_pattern=r"(?u)\w+",  # noqa: S106
        sublinear_tf=True,
        max_features=WORD_FEATURES,
        dtype=np.float32,
    )
    characters = TfidfVectorizer(
        analyzer="char_wb",
        ngram_range=(2, 5),
        sublinear_tf=True,
        max_features=CHARACTER_FEATURES,
        dtype=np.float32,
    )
    return make_union(words, characters) if with_characters else words


def _regression(features: Any, labels: Ints, penalty: float) -> Any:
    """Logistic regression, stopped after 60 steps: what is left would not change an answer."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return LogisticRegression(C=penalty, max_iter=60, tol=1e-3).fit(features, labels)


def _penalty(features: Any, labels: Ints, num_classes: int, seed: int) -> float:
    """The C with the best accuracy on a third left out, or the usual one for larger data.

    Of few rows each third is left out in turn.
    """
    if len(labels) * num_classes > SMALL_WORK or len(labels) < 30:
        return USUAL_PENALTY
    thirds = np.random.default_rng(seed).permutation(len(labels)) % 3
    turns = 3 if len(labels) < FEW_ROWS else 1
    return max(PENALTIES, key=lambda penalty: _right_on(features, labels, thirds, turns, penalty))


def _right_on(features: Any, labels: Ints, thirds: Ints, turns: int, penalty: float) -> int:
    """Rows right when each of the first `turns` thirds is answered by a model of the others."""
    right = 0
    for third in range(turns):
        rest, held = thirds != third, thirds == third
        if len(np.unique(labels[rest])) < 2:
            continue
        model = _regression(features[rest], labels[rest], penalty)
        right += int((model.predict(features[held]) == labels[held]).sum())
    return right
