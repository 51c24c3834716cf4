"""What a model finds in rows: labels that look wrong, rows far from all others."""

from __future__ import annotations

import numpy as np
import pytest

from tunewright.data.checks.label_errors import doubts
from tunewright.data.checks.outliers import distances, far_out
from tunewright.data.checks.suspects import Looked, label_errors, truncated
from tunewright.data.rows import Rows

ROWS, CLASSES = 600, 4


def simulated(seed: int = 0, flipped: float = 0.05) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Shares that know the true class, labels of which some are wrong, and which these are."""
    random = np.random.default_rng(seed)
    true = random.integers(0, CLASSES, ROWS)
    scores = random.normal(size=(ROWS, CLASSES)) + 4.0 * np.eye(CLASSES)[true]
    shares = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    wrong = np.zeros(ROWS, dtype=bool)
    wrong[random.permutation(ROWS)[: round(flipped * ROWS)]] = True
    other = (true + random.integers(1, CLASSES, ROWS)) % CLASSES
    return shares, np.where(wrong, other, true), wrong


ALL = np.ones(ROWS, dtype=bool)


def test_flipped_labels_are_ranked_first() -> None:
    shares, labels, wrong = simulated()
    found = doubts(shares, labels, ALL)
    first = found.rows[: int(wrong.sum())]
    assert wrong[first].mean() > 0.8
    assert wrong[found.rows].sum() > 0.6 * wrong.sum()


def test_the_suggested_label_is_the_right_one_of_most_flipped_rows() -> None:
    shares, labels, wrong = simulated()
    found = doubts(shares, labels, ALL)
    true = simulated(flipped=0.0)[1]
    hit = found.rows[wrong[found.rows]]
    assert (found.suggested[hit] == true[hit]).mean() > 0.9


def test_rows_whose_label_cannot_be_judged_are_never_suspects() -> None:
    shares, labels, _ = simulated()
    judged = labels != 2
    found = doubts(shares, labels, judged)
    assert len(found.rows)
    assert judged[found.rows].all()


def test_a_class_without_rows_is_never_suggested() -> None:
    shares, labels, _ = simulated()
    without = np.where(labels == 3, 0, labels)
    assert 3 not in doubts(shares, without, ALL).suggested


@pytest.mark.parametrize("seed", range(3))
def test_doubts_are_those_of_cleanlab_and_ranked_no_worse(seed: int) -> None:
    pytest.importorskip("cleanlab")
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    shares, labels, wrong = simulated(seed)
    theirs = find_label_issues(labels, shares, filter_by="confident_learning")
    found = doubts(shares, labels, ALL)
    ours = np.zeros(ROWS, dtype=bool)
    ours[found.rows] = True
    assert (ours == theirs).all()
    top = int(wrong.sum())
    ranked = np.argsort(get_label_quality_scores(labels, shares), kind="stable")[:top]
    assert wrong[np.argsort(found.trust, kind="stable")[:top]].mean() >= wrong[ranked].mean()


def clouds(rows: int = 300, width: int = 16) -> np.ndarray:
    random = np.random.default_rng(0)
    centres = 4 * random.normal(size=(3, width))
    return (centres[np.arange(rows) % 3] + random.normal(size=(rows, width))).astype(np.float32)


def keys_of(rows: int) -> np.ndarray:
    return np.array([f"{row:016d}".encode() for row in range(rows)])


def test_rows_far_from_all_others_are_found_the_farthest_first() -> None:
    features = clouds()
    features[[7, 100]] = 20 * np.random.default_rng(5).normal(size=(2, 16))
    distance = distances(features, keys_of(300), seed=0)
    far = far_out(distance)
    assert set(far[:2].tolist()) == {7, 100}
    assert (np.diff(distance[far]) <= 0).all()
    assert len(far) < 10


def test_copies_of_an_outlier_do_not_hide_it() -> None:
    features, keys = clouds(), keys_of(300)
    features[[7, 8, 9]] = 20 * np.random.default_rng(5).normal(size=16)
    keys[[8, 9]] = keys[7]
    assert {7, 8, 9} <= set(far_out(distances(features, keys, seed=0)).tolist())


def test_the_same_row_has_the_same_distance_in_any_order() -> None:
    features, keys = clouds(), keys_of(300)
    order = np.random.default_rng(1).permutation(300)
    there = distances(features, keys, seed=0)[order]
    assert distances(features[order], keys[order], seed=0) == pytest.approx(there, abs=1e-5)


def test_rows_that_are_all_the_same_are_not_far_from_anything() -> None:
    same = np.ones((20, 4), np.float32)
    assert not len(far_out(distances(same, np.repeat(keys_of(1), 20), seed=0)))
    assert not len(far_out(distances(same, keys_of(20), seed=0)))


def rows_of(texts: list[str], source: str) -> Rows:
    ids = [f"{i:032x}" for i in range(len(texts))]
    labels = ["a"] * len(texts)
    return Rows(texts, None, labels, ids, source, np.arange(2, len(texts) + 2))


def test_a_row_is_shown_with_its_own_file_and_line() -> None:
    looked = Looked([rows_of(["one", "two"], "train.csv"), rows_of(["three"], "validation.csv")])
    assert looked.show(1)["place"] == "line 3 of train.csv"
    assert looked.show(2)["place"] == "line 2 of validation.csv"


def test_a_doubted_row_says_what_it_is_labelled_and_what_it_looks_like() -> None:
    looked = Looked([rows_of(["one", "two", "three", "four"], "train.csv")])
    shares = np.array([[0.7, 0.3], [0.1, 0.9], [0.8, 0.2], [0.2, 0.8]])
    labels = np.array([0, 1, 1, 1])
    found = doubts(shares, labels, np.ones(4, dtype=bool))
    (finding,) = label_errors(looked, found, labels, ("a", "b"), shares)
    assert (finding.code, finding.count) == ("label-error", 1)
    assert finding.rows[0]["place"] == "line 4 of train.csv"
    assert (finding.rows[0]["suggested"], finding.rows[0]["confidence"]) == ("a", 0.8)


@pytest.mark.parametrize(
    ("readable", "fix"), [(64, "set train.max_length to 50"), (32, "shorten or divide")]
)
def test_cut_rows_are_told_with_their_tokens_and_what_would_help(readable: int, fix: str) -> None:
    looked = Looked([rows_of(["short", "long"], "train.csv")])
    cut, lost = np.array([1]), np.array([18])
    (finding,) = truncated(looked, cut, lost, tokens=60, limit=32, longest=50, readable=readable)
    assert (finding.code, finding.severity, finding.count) == ("truncated", "warning", 1)
    assert "30.0 % of all tokens" in finding.message
    assert fix in finding.fix
    assert finding.rows[0]["lost_tokens"] == 18
