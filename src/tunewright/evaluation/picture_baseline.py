"""The cheap model for pictures: what colours there are, and roughly where.

N pictures, C classes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from tunewright.data.pictures import small_picture
from tunewright.evaluation.regression import fit_one_label
from tunewright.evaluation.scored import Floats, Ints

SIDE = 32  # of the square that a picture is made to, in pixels
TILES, LEVELS = 8, 4  # thumbnail of 8 x 8; histogram of 4 x 4 x 4 colours
WIDTH = 3 * TILES**2 + LEVELS**3
MOST_PICTURES = 20_000  # to fit on; of more, some are drawn
FEW_PICTURES = 256  # whose features are computed together
PENALTIES = (0.001, 0.01, 0.1)  # features of spread 1 need stronger ones than tf-idf


def drawn_pictures(count: int, seed: int) -> Ints:
    """The pictures to fit on: all, or as many drawn ones as are enough."""
    return np.sort(np.random.default_rng(seed).permutation(count)[:MOST_PICTURES])


def fit_colours(
    paths: Sequence[str], labels: Ints, num_classes: int, *, seed: int
) -> Callable[[Sequence[str]], Floats]:
    """A logistic regression on standardised colour features.

    Args:
        paths: N picture files. labels: int (N). num_classes: C.
    Returns:
        paths → float64 (len(paths), C).
    """
    features = colour_features(paths)
    centre, spread = features.mean(axis=0), features.std(axis=0)
    spread[spread < 1e-6] = 1.0  # the same in all pictures
    if len(np.unique(labels)) < 2:
        only = np.full((1, num_classes), 1.0 / (len(labels) + num_classes))
        only[0, labels[:1]] = 1.0
        return lambda paths: np.repeat(only / only.sum(), len(paths), axis=0)
    model = fit_one_label(
        (features - centre) / spread, labels, num_classes, seed=seed, penalties=PENALTIES
    )

    def answer(paths: Sequence[str]) -> Floats:
        found = np.zeros((len(paths), num_classes))
        for first in range(0, len(paths), FEW_PICTURES):
            some = paths[first : first + FEW_PICTURES]
            found[first : first + len(some)] = model((colour_features(some) - centre) / spread)
        return found

    return answer


def colour_features(paths: Sequence[str]) -> NDArray[np.float32]:
    """float32 (N, 256): a thumbnail of 8 x 8 in RGB, then the shares of 64 colours."""
    features = np.zeros((len(paths), WIDTH), dtype=np.float32)
    for row, path in enumerate(paths):
        features[row] = _features(path)
    return features


def _features(path: str) -> NDArray[np.float32]:
    from PIL.Image import Resampling

    small = small_picture(path, (SIDE, SIDE)).resize((SIDE, SIDE), Resampling.BOX)
    pixels = np.asarray(small)
    step = SIDE // TILES
    tiles = pixels.reshape(TILES, step, TILES, step, 3).mean(axis=(1, 3)) / 255
    red, green, blue = np.moveaxis(pixels // (256 // LEVELS), -1, 0).astype(np.int64)
    colours = np.bincount(((red * LEVELS + green) * LEVELS + blue).ravel(), minlength=LEVELS**3)
    return np.concatenate([tiles.ravel(), colours / SIDE**2]).astype(np.float32)
