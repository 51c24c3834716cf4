"""Views of pictures: as large as before, of the same kind, a function of their draw."""

from __future__ import annotations

import numpy as np
import pytest

from tunewright.data.augment import pictures

PICTURE = np.random.default_rng(0).integers(0, 256, (20, 28, 3)).astype(np.uint8)


def view(*names: str, seed: int = 0, strength: float = 0.5) -> np.ndarray:
    return pictures.view_of(PICTURE, names, strength, np.random.default_rng(seed))


@pytest.mark.parametrize("name", pictures.CHANGES)
def test_a_view_has_the_size_of_the_picture_and_is_a_function_of_its_draw(name: str) -> None:
    for seed in range(12):
        found = view(name, seed=seed)
        assert (found.shape, found.dtype) == (PICTURE.shape, np.uint8)
        np.testing.assert_array_equal(found, view(name, seed=seed))
    assert any(not np.array_equal(view(name, seed=seed), PICTURE) for seed in range(12))


def test_a_flip_twice_is_the_picture() -> None:
    found = [view("flip", seed=seed) for seed in range(12)]
    mirrored = [each for each in found if not np.array_equal(each, PICTURE)]
    assert 0 < len(mirrored) < 12
    assert all(np.array_equal(each[:, ::-1], PICTURE) for each in mirrored)


def test_less_strength_changes_colours_less() -> None:
    far = [
        np.mean(
            [
                np.abs(view("colour", seed=s, strength=k) - PICTURE.astype(float)).mean()
                for s in range(20)
            ]
        )
        for k in (0.05, 0.3, 0.9)
    ]
    assert far == sorted(far)


@pytest.mark.parametrize("place", range(len(pictures._OPERATIONS)))
@pytest.mark.parametrize("strength", [0.01, 1.0])
def test_every_operation_works_at_every_strength(place: int, strength: float) -> None:
    import PIL.Image

    operation = pictures._OPERATIONS[place]
    found = operation(PIL.Image.fromarray(PICTURE), strength, np.random.default_rng(0))
    assert (found.size, found.mode) == ((28, 20), "RGB")
