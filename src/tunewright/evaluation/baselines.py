"""Cheap models that a fine-tuned one has to beat.

N rows, C classes. Fitted from the training rows alone, in seconds, and never stored: fitting
again with the same seed gives the same answers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunewright.data.rows import Rows, in_chunks, joined_texts
from tunewright.evaluation.metrics import kind_of
from tunewright.evaluation.picture_baseline import drawn_pictures, fit_colours
from tunewright.evaluation.regression import PENALTIES, Model, fit_one_label, regression
from tunewright.evaluation.scored import Floats, Ints
from tunewright.recipe.schema import Kind

WORD_FEATURES = 20_000
CHARACTER_FEATURES = 20_000
CHEAP_WORK = 400_000  # rows x classes up to which character n-grams are added
CHEAP_CHARACTERS = 4_000_000  # and characters in all texts
LONGEST_TEXT = 4_000  # characters read of each text
MOST_CHARACTERS = 20_000_000  # read in all; of more, rows are drawn
USUAL_PENALTY = PENALTIES[1]
RIDGES = (0.3, 1.0, 3.0)

Answer = Callable[[Rows], Floats]
AnswerTexts = Callable[[Sequence[str]], Floats]


@dataclass(frozen=True)
class FittedBaseline:
    """A baseline that can be asked for any part of the data.

    Args:
        seconds: what fitting took.
        rows: how many it was fitted on.
        answers: rows → float64 (len(rows), C), as the model's own.
    """

    name: str
    seconds: float
    rows: int
    answers: Answer


def fit_baselines(
    train: Rows, train_labels: NDArray[Any], num_classes: int, *, seed: int
) -> list[FittedBaseline]:
    """Fit what answers every row alike, and `tfidf`: a linear model on tf-idf n-grams.

    Of pictures it is `colours`, see `picture_baseline`. The first is `majority`, the share of each label in training; or `mean`, of numbers. The linear
    model is a logistic regression, one for each label where rows have several; or ridge.

    Args:
        train: N rows; the two texts of a pair are read as one.
        train_labels: see `metrics`.
        num_classes: C; labels may be absent from the training rows.
        seed: of the folds of cross-validation.
    """
    train_texts = joined_texts(train)
    labels = np.asarray(train_labels)
    kind = kind_of(labels)
    alike = "mean" if kind == "number" else "majority"
    first = timed(alike, len(labels), lambda: _of_texts(_fit_alike(labels, num_classes)))
    if train.reads == "image":
        drawn = drawn_pictures(len(labels), seed)

        def colours() -> Answer:
            paths = [train_texts[row] for row in drawn.tolist()]
            return _of_texts(fit_colours(paths, labels[drawn], num_classes, seed=seed))

        return [first, timed("colours", len(drawn), colours)]
    rows = _read(train_texts, seed)

    def tfidf() -> Answer:
        texts = [train_texts[row][:LONGEST_TEXT] for row in rows.tolist()]
        return _of_texts(_fit_tfidf(texts, labels[rows], num_classes, seed))

    return [first, timed("tfidf", len(rows), tfidf)]


def untouched(answers: Callable[[], Any]) -> FittedBaseline:
    """The model as it was before training; what opens it is called once it is asked.

    Args:
        answers: gives what has `answers`, as the model's own.
    """
    opened: list[Any] = []

    def answer(rows: Rows) -> Floats:
        if not opened:
            opened.append(answers())
        found: Floats = opened[0].answers(rows.texts)
        return found

    return FittedBaseline("base", 0.0, 0, answer)


def answered(
    baselines: Sequence[FittedBaseline], rows: Rows
) -> tuple[dict[str, Floats], dict[str, float]]:
    """What each answers, and the seconds that it took, fitting and answering."""
    answers, took = {}, {}
    for each in baselines:
        start = time.perf_counter()
        answers[each.name] = each.answers(rows)
        took[each.name] = round(each.seconds + time.perf_counter() - start, 2)
    return answers, took


def majority(train_labels: Ints, num_classes: int, n: int) -> Floats:
    """The classes' frequencies in training, for each of `n` rows: float64 (n, C).

    A class that training never showed gets the share of one row, so that it is not impossible.
    """
    counts = np.bincount(train_labels, minlength=num_classes).astype(np.float64)
    counts[counts == 0] = 1.0
    return np.tile(counts / counts.sum(), (n, 1))


def timed(
    name: str, rows: int, fit: Callable[[], Answer], *, before: float = 0.0
) -> FittedBaseline:
    """A baseline fitted now.

    Args:
        rows: how many it is fitted on. before: seconds that what it learns from took.
    """
    start = time.perf_counter()
    answer = fit()
    return FittedBaseline(name, before + time.perf_counter() - start, rows, answer)


def _of_texts(answer: AnswerTexts) -> Answer:
    return lambda rows: answer(joined_texts(rows))


def _read(texts: Sequence[str], seed: int) -> Ints:
    """The rows to fit on: all, or as many drawn ones as there may be characters."""
    lengths = np.fromiter((min(len(text), LONGEST_TEXT) for text in texts), np.int64, len(texts))
    drawn = np.random.default_rng(seed).permutation(len(texts))
    return np.sort(drawn[np.cumsum(lengths[drawn]) <= MOST_CHARACTERS])


def _fit_alike(labels: NDArray[Any], num_classes: int) -> AnswerTexts:
    if kind_of(labels) == "one":
        return lambda texts: majority(labels, num_classes, len(texts))
    mean = np.atleast_1d(labels.mean(axis=0)).astype(np.float64)
    return lambda texts: np.tile(mean, (len(texts), 1))


def _fit_tfidf(texts: list[str], labels: NDArray[Any], num_classes: int, seed: int) -> AnswerTexts:
    if len(np.unique(labels)) < 2:
        return _fit_alike(labels, num_classes)
    cheap = len(texts) * num_classes <= CHEAP_WORK and sum(map(len, texts)) <= CHEAP_CHARACTERS
    vectorizer = _vectorizer(with_characters=cheap)
    try:
        features = vectorizer.fit_transform(texts)
    except ValueError as error:
        if "empty vocabulary" not in str(error):
            raise
        return _fit_alike(labels, num_classes)  # texts without a single word
    fit: dict[Kind, Callable[[Any, Any, int, int], Model]] = {
        "one": lambda *given: fit_one_label(*given[:3], seed=given[3]),
        "several": _fit_several_labels,
        "number": _fit_numbers,
    }
    model = fit[kind_of(labels)](features, labels, num_classes, seed)

    def answer(texts: Sequence[str]) -> Floats:
        found = np.zeros((len(texts), num_classes))
        first = 0
        for some, _ in in_chunks(text[:LONGEST_TEXT] for text in texts):
            found[first : first + len(some)] = model(vectorizer.transform(some))
            first += len(some)
        return found

    return answer


def _fit_several_labels(features: Any, labels: Floats, num_classes: int, seed: int) -> Model:
    """A regression for each label; the share in training where all rows or none have it."""
    shares = labels.mean(axis=0)
    models = {
        label: regression(features, (labels[:, label] > 0).astype(np.int64), USUAL_PENALTY)
        for label in np.flatnonzero((shares > 0) & (shares < 1)).tolist()
    }

    def answer(given: Any) -> Floats:
        full = np.tile(shares.astype(np.float64), (given.shape[0], 1))
        for label, model in models.items():
            full[:, label] = model.predict_proba(given)[:, 1]
        return full

    return answer


def _fit_numbers(features: Any, labels: Floats, num_classes: int, seed: int) -> Model:
    """Ridge on numbers of mean 0 and spread 1, its penalty by the error on a third left out."""
    from sklearn.linear_model import Ridge

    centre, spread = float(labels.mean()), float(labels.std())
    scaled = (labels - centre) / spread
    held = np.random.default_rng(seed).permutation(len(labels)) % 3 == 0

    def error(penalty: float) -> float:
        model = Ridge(penalty).fit(features[~held], scaled[~held])
        return float(((model.predict(features[held]) - scaled[held]) ** 2).mean())

    chosen = min(RIDGES, key=error) if held.any() and not held.all() else RIDGES[0]
    model = Ridge(chosen).fit(features, scaled)
    return lambda given: (model.predict(given) * spread + centre)[:, None]


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
