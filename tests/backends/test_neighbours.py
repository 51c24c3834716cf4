"""A row is answered by the rows most like it, with shares that are never zero."""

from __future__ import annotations

import numpy as np

from tunewright.backends import neighbours


def clusters(rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    labels = np.arange(rows) % 3
    centres = np.eye(3, 8) * 6
    return (centres[labels] + draw.normal(size=(rows, 8))).astype(np.float32), labels


def test_unseen_rows_get_the_label_of_their_cluster_and_shares_that_sum_to_one() -> None:
    answer = neighbours.fit(*clusters(90), 4, seed=0)
    unseen, labels = clusters(30, seed=1)
    found = answer(unseen)
    assert (found.argmax(axis=1) == labels).all()
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert (found > 0).all(), "also that of a label which no row has"


def test_where_labels_are_noise_many_neighbours_are_asked() -> None:
    features, _ = clusters(600)
    labels = np.random.default_rng(2).integers(0, 2, 600)
    found = neighbours.fit(features, labels, 2, seed=0)(features[:50])
    assert found.max() < 0.9, "one neighbour alone would be the row itself, and sure"


def test_numbers_are_the_mean_of_their_neighbours() -> None:
    features, labels = clusters(90)
    found = neighbours.fit(features, labels * 10.0, 1, seed=0)(features)
    assert found.shape == (90, 1)
    assert np.abs(found[:, 0] - labels * 10).mean() < 1


def test_rows_with_several_labels_get_a_share_of_each() -> None:
    features, labels = clusters(90)
    told = np.stack([labels == 0, labels > 0, labels < 9], axis=1).astype(np.float32)
    found = neighbours.fit(features, told, 3, seed=0)(features)
    assert ((found > 0.5) == (told > 0.5)).all()
    assert ((found > 0) & (found < 1)).all()


def test_one_row_and_one_label_are_enough() -> None:
    features, _ = clusters(1)
    found = neighbours.fit(features, np.array([1]), 2, seed=0)(features)
    assert found.argmax() == 1
