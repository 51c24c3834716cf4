"""Views of a picture: every way of changing it that is asked for, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL.Image import Image

Change = Callable[["Image", float, np.random.Generator], "Image"]
OPERATIONS_OF_RAND = 2
LEAST_SIDES = 3 / 4  # of a cut-out's width to its height
MOST_DEGREES = 30.0
MOST_SHIFT = 0.3  # of a side


def view_of(
    picture: np.ndarray, changes: Sequence[str], strength: float, random: np.random.Generator
) -> np.ndarray:
    """The picture changed in each of these ways, as large as it was.

    Args:
        picture: uint8 (height, width, 3).
        changes: names in `CHANGES`.
        strength: above 0, up to 1.
    """
    import PIL.Image

    image = PIL.Image.fromarray(picture)
    for name in changes:
        image = CHANGES[name](image, strength, random)
    return np.asarray(image)


def _crop(image: Image, strength: float, random: np.random.Generator) -> Image:
    """A cut-out, down to 1 - strength of the area, in the size of the whole."""
    import PIL.Image

    area = image.width * image.height * random.uniform(max(0.05, 1 - strength), 1.0)
    sides = np.exp(random.uniform(np.log(LEAST_SIDES), -np.log(LEAST_SIDES)))
    sides *= image.width / image.height
    width = min(image.width, max(1, round(float(np.sqrt(area * sides)))))
    height = min(image.height, max(1, round(float(np.sqrt(area / sides)))))
    left = int(random.integers(image.width - width + 1))
    top = int(random.integers(image.height - height + 1))
    box = (left, top, left + width, top + height)
    return image.resize(image.size, PIL.Image.Resampling.BILINEAR, box=box)


def _flip(image: Image, strength: float, random: np.random.Generator) -> Image:
    """Left and right change places, every other time."""
    from PIL import ImageOps

    return ImageOps.mirror(image) if random.random() < 0.5 else image


def _colour(image: Image, strength: float, random: np.random.Generator) -> Image:
    """Lighter or darker, with more or less contrast and colour."""
    from PIL import ImageEnhance

    for kind in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        image = kind(image).enhance(1 + strength * random.uniform(-1, 1))
    return image


def _rand(image: Image, strength: float, random: np.random.Generator) -> Image:
    """Two of the operations of RandAugment, all with the same magnitude.

    Source:
        Cubuk et al. 2019, "RandAugment".
    """
    for place in random.choice(len(_OPERATIONS), OPERATIONS_OF_RAND, replace=False):
        image = _OPERATIONS[int(place)](image, strength, random)
    return image


def _moved(image: Image, numbers: tuple[float, ...]) -> Image:
    import PIL.Image

    return image.transform(
        image.size,
        PIL.Image.Transform.AFFINE,
        numbers,
        PIL.Image.Resampling.BILINEAR,
        fillcolor=(128, 128, 128),
    )


def _rotated(image: Image, strength: float, random: np.random.Generator) -> Image:
    import PIL.Image

    degrees = MOST_DEGREES * strength * random.choice([-1, 1])
    return image.rotate(degrees, PIL.Image.Resampling.BILINEAR, fillcolor=(128, 128, 128))


def _sheared(image: Image, strength: float, random: np.random.Generator) -> Image:
    share = MOST_SHIFT * strength * random.choice([-1, 1])
    return _moved(image, (1, share, -share * image.height / 2, 0, 1, 0))


def _shifted(image: Image, strength: float, random: np.random.Generator) -> Image:
    across, down = MOST_SHIFT * strength * random.uniform(-1, 1, 2)
    return _moved(image, (1, 0, across * image.width, 0, 1, down * image.height))


def _sharpened(image: Image, strength: float, random: np.random.Generator) -> Image:
    from PIL import ImageEnhance

    return ImageEnhance.Sharpness(image).enhance(1 + strength * random.choice([-1, 1]))


def _with_fewer_colours(image: Image, strength: float, random: np.random.Generator) -> Image:
    from PIL import ImageOps

    return ImageOps.posterize(image, 8 - round(4 * strength))


def _with_bright_parts_inverted(
    image: Image, strength: float, random: np.random.Generator
) -> Image:
    from PIL import ImageOps

    return ImageOps.solarize(image, 256 - round(128 * strength))


def _with_even_tones(image: Image, strength: float, random: np.random.Generator) -> Image:
    from PIL import ImageOps

    return ImageOps.equalize(image)


def _with_full_contrast(image: Image, strength: float, random: np.random.Generator) -> Image:
    from PIL import ImageOps

    return ImageOps.autocontrast(image)


_OPERATIONS: tuple[Change, ...] = (
    _rotated,
    _sheared,
    _shifted,
    _colour,
    _sharpened,
    _with_fewer_colours,
    _with_bright_parts_inverted,
    _with_even_tones,
    _with_full_contrast,
)
CHANGES: Mapping[str, Change] = {"crop": _crop, "flip": _flip, "colour": _colour, "rand": _rand}
