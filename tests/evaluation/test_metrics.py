"""The metrics agree with scikit-learn and with their definitions."""

from __future__ import annotations

import time

import numpy as np
import pytest
from scipy import stats
from simulated import KINDS, answers, numbers, several
from sklearn import metrics as sk

from tunewright.errors import DataError
from tunewright.evaluation import metrics, one_label
from tunewright.evaluation.intervals import bootstrap
from tunewright.evaluation.several_labels import per_label
from tunewright.recipe.schema import Kind


@pytest.mark.parametrize(("num_rows", "num_classes"), [(1, 2), (9, 7), (400, 3), (500, 77)])
def test_every_metric_equals_that_of_scikit_learn(num_rows: int, num_classes: int) -> None:
    probabilities, labels = answers(num_rows, num_classes)
    predicted = probabilities.argmax(axis=1)
    assert metrics.score("accuracy", probabilities, labels) == pytest.approx(
        sk.accuracy_score(labels, predicted)
    )
    assert metrics.score("macro_f1", probabilities, labels) == pytest.approx(
        sk.f1_score(labels, predicted, average="macro")
    )
    assert metrics.score("log_loss", probabilities, labels) == pytest.approx(
        sk.log_loss(labels, probabilities, labels=range(num_classes))
    )
    if num_rows > 1:  # scikit-learn warns about a single label
        assert metrics.score("mcc", probabilities, labels) == pytest.approx(
            sk.matthews_corrcoef(labels, predicted)
        )
    np.testing.assert_array_equal(
        one_label.confusion(probabilities, labels),
        sk.confusion_matrix(labels, predicted, labels=range(num_classes)),
    )


def test_each_class_equals_that_of_scikit_learn() -> None:
    probabilities, labels = answers(60, 30)
    predicted = probabilities.argmax(axis=1)
    expected = sk.precision_recall_fscore_support(
        labels, predicted, labels=range(30), zero_division=0.0
    )
    found = one_label.per_class(probabilities, labels, [str(k) for k in range(30)])
    for key, values in zip(("precision", "recall", "f1", "count"), expected, strict=True):
        np.testing.assert_allclose([entry[key] for entry in found], values)
    assert [entry["label"] for entry in found[:2]] == ["0", "1"]


def test_calibration_error_is_the_weighted_gap_of_fifteen_bins() -> None:
    probabilities, labels = answers(300, 4)
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    expected = 0.0
    for low in np.arange(15) / 15:
        inside = (confidence > low) & (confidence <= low + 1 / 15)
        if inside.any():
            expected += inside.mean() * abs(confidence[inside].mean() - right[inside].mean())
    assert metrics.score("calibration_error", probabilities, labels) == pytest.approx(expected)
    bins = one_label.calibration(probabilities, labels)
    gaps = [b["count"] * abs(b["confidence"] - b["accuracy"]) for b in bins]
    assert sum(gaps) / 300 == pytest.approx(expected)
    assert sum(b["count"] for b in bins) == 300


def test_mcc_is_zero_when_one_class_is_always_predicted() -> None:
    probabilities = np.tile([0.9, 0.1], (4, 1))
    assert metrics.score("mcc", probabilities, np.array([0, 0, 1, 1])) == 0.0


def test_an_impossible_label_costs_a_finite_loss_at_the_precision_of_the_answers() -> None:
    certain = np.array([[1.0, 0.0]], dtype=np.float32)
    loss = metrics.score("log_loss", certain, np.array([1]))
    assert loss == pytest.approx(-np.log(np.finfo(np.float32).eps))


@pytest.mark.parametrize(("num_rows", "num_labels"), [(9, 7), (400, 3)])
def test_with_several_labels_every_metric_equals_that_of_scikit_learn(
    num_rows: int, num_labels: int
) -> None:
    shares, labels = several(num_rows, num_labels)
    predicted, there = shares >= 0.5, labels > 0
    found = metrics.all_metrics(shares, labels)
    for average in ("micro", "macro"):
        assert found[f"{average}_f1"] == pytest.approx(
            sk.f1_score(there, predicted, average=average, zero_division=0.0)
        )
    assert found["exact_match"] == pytest.approx(sk.accuracy_score(there, predicted))
    assert found["log_loss"] == pytest.approx(
        np.mean([sk.log_loss(there[:, k], shares[:, k]) for k in range(num_labels)])
    )
    expected = sk.precision_recall_fscore_support(there, predicted, zero_division=0.0)
    each = per_label(shares, labels, [str(k) for k in range(num_labels)])
    for key, values in zip(("precision", "recall", "f1", "count"), expected, strict=True):
        np.testing.assert_allclose([entry[key] for entry in each], values)


def test_with_numbers_every_metric_equals_that_of_scikit_learn_and_scipy() -> None:
    given, labels = numbers(60, 1)
    found, plain = metrics.all_metrics(given, labels), given[:, 0]
    assert found == pytest.approx(
        {
            "rmse": sk.root_mean_squared_error(labels, plain),
            "mae": sk.mean_absolute_error(labels, plain),
            "r2": sk.r2_score(labels, plain),
            "pearson": stats.pearsonr(labels, plain).statistic,
            "spearman": stats.spearmanr(labels, plain).statistic,
        }
    )


def test_numbers_that_do_not_vary_have_no_correlation() -> None:
    found = metrics.all_metrics(np.zeros((5, 1)), np.arange(5.0))
    assert found["pearson"] == found["spearman"] == 0.0
    assert metrics.score("r2", np.arange(5.0)[:, None], np.ones(5)) == 0.0


@pytest.mark.parametrize("kind", list(KINDS))
def test_all_metrics_are_those_of_score(kind: Kind) -> None:
    given, labels = KINDS[kind](50, 3)
    found = metrics.all_metrics(given, labels)
    assert tuple(found) == metrics.METRICS[kind]
    assert set(found) <= set(metrics.HIGHER_IS_BETTER)
    assert found == {name: metrics.score(name, given, labels) for name in found}


@pytest.mark.parametrize(
    ("probabilities", "labels", "said"),
    [
        (np.zeros((0, 2)), np.zeros(0, dtype=int), "there are no rows to score"),
        (np.ones((2, 2)), np.array([0]), "do not fit"),
        (np.ones((1, 2)), np.array([2]), "labels reach from 2 to 2, expected 0 to 1"),
        (np.array([[np.nan, 1.0]]), np.array([0]), "not a finite number"),
    ],
)
def test_input_that_cannot_be_scored_is_refused(
    probabilities: np.ndarray, labels: np.ndarray, said: str
) -> None:
    with pytest.raises(DataError, match=said):
        metrics.score("accuracy", probabilities, labels)


def test_an_unknown_metric_is_refused_with_the_known_ones() -> None:
    with pytest.raises(DataError, match="no metric 'f1'") as caught:
        metrics.score("f1", np.ones((1, 2)), np.array([0]))
    assert "macro_f1" in caught.value.fix


def test_a_thousand_resamples_of_all_metrics_take_less_than_two_seconds() -> None:
    probabilities, labels = answers(3000, 77)
    start = time.process_time()
    bootstrap(metrics.METRICS["one"], probabilities, labels, resamples=1000, seed=0)
    assert time.process_time() - start < 2.0
