"""What linear probes answer for rows that they were not fitted on."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tunewright.backends import probe

FOLDS = 5
Answer = Callable[[np.ndarray], np.ndarray]
Fit = Callable[[np.ndarray, np.ndarray], Answer]


def out_of_sample(
    features: np.ndarray, labels: np.ndarray, num_labels: int, groups: np.ndarray, *, seed: int
) -> np.ndarray:
    """float64 (rows, labels): shares, each row's by a probe that never saw it or its group.

    Args:
        features: float (rows, width). labels: int64 (rows).
        groups: rows with the same value stay together: the same text, the same customer.
    """
    fold_of = folds(labels, groups, seed=seed)
    shares = np.zeros((len(labels), num_labels))
    for fold in range(FOLDS):
        left_out = fold_of == fold
        if left_out.any():
            shares[left_out] = probe.shares(
                features[~left_out], labels[~left_out], num_labels, features[left_out], seed=seed
            )
    return shares


def cross_validated(
    fit: Fit, features: np.ndarray, targets: np.ndarray, fold_of: np.ndarray
) -> np.ndarray:
    """float64 (rows, outputs): what a model fitted on the other folds answers for each row.

    Args:
        fit: (features, targets) → what answers features. fold_of: see `folds`.
    """
    found: np.ndarray | None = None
    for fold in np.unique(fold_of):
        left_out = fold_of == fold
        said = fit(features[~left_out], targets[~left_out])(features[left_out])
        found = np.zeros((len(targets), said.shape[1])) if found is None else found
        found[left_out] = said
    if found is None:
        raise ValueError("no rows")
    return found


def folds(labels: np.ndarray, groups: np.ndarray, *, seed: int) -> np.ndarray:
    """int64 (rows): each row's fold; a group is in one, and every label in all that it can fill.

    The groups are dealt out in turn, those of a label (their first row's) one after another.
    """
    _, first, group_of = np.unique(groups, return_index=True, return_inverse=True)
    shuffled = np.random.default_rng(seed).permutation(len(first))
    by_label = shuffled[np.argsort(labels[first][shuffled], kind="stable")]
    fold = np.zeros(len(first), dtype=np.int64)
    fold[by_label] = np.arange(len(first)) % FOLDS
    return np.asarray(fold[group_of])
