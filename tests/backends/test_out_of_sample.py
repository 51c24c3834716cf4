"""Shares by probes that never saw the row."""

from __future__ import annotations

import numpy as np

from tunewright.backends.out_of_sample import FOLDS, folds, out_of_sample


def test_groups_stay_in_one_fold_and_labels_are_in_all() -> None:
    labels = np.arange(200) % 4
    groups = np.arange(200) // 8  # of every label
    fold = folds(labels, groups, seed=0)
    assert all(len(set(fold[groups == group])) == 1 for group in set(groups))
    alone = folds(labels, np.arange(200), seed=0)
    counts = [np.bincount(alone[labels == label], minlength=FOLDS) for label in range(4)]
    assert np.ptp(counts) <= 1


def test_folds_are_decided_by_the_seed_alone() -> None:
    labels = np.arange(50) % 2
    first, again, other = (folds(labels, np.arange(50), seed=seed) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


def test_no_row_is_answered_by_a_probe_that_saw_it() -> None:
    """Of noise nothing can be known; a probe that had seen the row would know its label."""
    random = np.random.default_rng(0)
    features = random.normal(size=(200, 40)).astype(np.float32)
    labels = random.integers(0, 2, 200)
    shares = out_of_sample(features, labels, 2, np.arange(200), seed=0)
    assert (shares.argmax(1) == labels).mean() < 0.65
    copies = np.concatenate([features, features])
    twice = np.concatenate([labels, labels])
    together = out_of_sample(copies, twice, 2, np.arange(400) % 200, seed=0)
    assert (together.argmax(1) == twice).mean() < 0.65


def test_shares_sum_to_one_also_where_a_label_is_in_one_fold_alone() -> None:
    random = np.random.default_rng(0)
    features = random.normal(size=(60, 5)).astype(np.float32)
    labels = np.array([0, 1] * 29 + [2, 2])
    shares = out_of_sample(features, labels, 3, np.append(np.arange(58), [99, 99]), seed=0)
    np.testing.assert_allclose(shares.sum(axis=1), 1.0)
    assert (shares[-2:, 2] == 0).all()
