"""Small pictures that a page can carry within itself."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from typing import Any

from tunewright.data.pictures import small_picture

SIDE = 96  # pixels at most
QUALITY = 80
MOST = 20  # on one page


def with_thumbnails(mistakes: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The mistakes, each whose `image` can be read with a `thumbnail`; at most 20 have one."""
    return [
        {**mistake, "thumbnail": thumbnail(str(mistake["image"]))}
        if "image" in mistake and row < MOST
        else dict(mistake)
        for row, mistake in enumerate(mistakes)
    ]


def thumbnail(path: str) -> str | None:
    """The picture as a data: URI of a JPEG, at most 96 pixels wide and high; None without it."""
    try:
        small = small_picture(path, (SIDE, SIDE))
    except (OSError, ValueError):  # moved or changed since: the page shows its path
        return None
    small.thumbnail((SIDE, SIDE))
    file = io.BytesIO()
    small.save(file, "JPEG", quality=QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode("ascii")
