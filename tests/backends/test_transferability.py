"""Features in which the classes lie apart score higher than those in which they do not."""

from __future__ import annotations

import numpy as np

from tunewright.backends.transferability import h_score, log_me


def features(apart: float) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(0)
    labels = np.arange(300) % 3
    return draw.normal(size=(300, 12)) + apart * np.eye(3, 12)[labels], labels


def test_both_scores_rise_with_the_distance_of_the_classes() -> None:
    for score in (h_score, lambda x, y: log_me(x, np.eye(3)[y])):
        found = [score(*features(apart)) for apart in (0.0, 1.0, 3.0)]
        assert found == sorted(found)
        assert found[2] > found[0]


def test_log_me_is_the_largest_evidence_over_both_precisions() -> None:
    """Against the evidence written out plainly, maximised on a grid."""
    given, labels = features(1.0)
    given, column = given[:40, :3], np.eye(3)[labels[:40]][:, 0]
    best = -np.inf
    for prior in np.exp(np.linspace(-4, 6, 60)):
        for noise in np.exp(np.linspace(-3, 5, 60)):
            precision = prior * np.eye(3) + noise * given.T @ given
            mean = noise * np.linalg.solve(precision, given.T @ column)
            evidence = (
                3 / 2 * np.log(prior)
                + 40 / 2 * np.log(noise)
                - noise / 2 * ((given @ mean - column) ** 2).sum()
                - prior / 2 * (mean**2).sum()
                - np.linalg.slogdet(precision)[1] / 2
                - 40 / 2 * np.log(2 * np.pi)
            )
            best = max(best, evidence / 40)
    np.testing.assert_allclose(log_me(given, column[:, None]), best, atol=2e-3)


def test_the_h_score_counts_separated_directions() -> None:
    assert 1.7 < h_score(*features(20.0)) <= 2.0, "three classes apart fill two directions"
