"""Pictures in the report: small, within the page, and few."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path
from typing import Any

import numpy as np

from tiny_pictures import write_picture
from tunewright.evaluation.mistakes import mistakes
from tunewright.evaluation.report import render
from tunewright.evaluation.thumbnails import thumbnail, with_thumbnails


def wrong(path: str, count: int = 1) -> list[dict[str, Any]]:
    answers = np.tile([0.9, 0.1], (count, 1))
    labels = np.ones(count, dtype=np.int64)
    return mistakes(answers, labels, [path] * count, ["a", "b"], ["x"] * count, "image")


def decoded(uri: str | None) -> Any:
    from PIL import Image

    head, _, data = str(uri).partition(",")
    assert head == "data:image/jpeg;base64"
    return Image.open(io.BytesIO(base64.b64decode(data)))


def test_a_mistake_about_a_picture_names_its_file() -> None:
    (found,) = wrong("a.png")
    assert (found["image"], found["label"], found["predicted"]) == ("a.png", "b", "a")
    assert "text" not in found


def test_a_thumbnail_is_a_small_jpeg_of_the_same_shape(tmp_path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (400, 200), (250, 0, 0)).save(tmp_path / "wide.jpg")
    small = decoded(thumbnail(str(tmp_path / "wide.jpg")))
    assert (small.format, small.size) == ("JPEG", (96, 48))
    tiny = decoded(thumbnail(str(write_picture(tmp_path / "x.png", "red", 1))))
    assert tiny.size == (12, 12)


def test_the_page_carries_its_pictures_and_asks_for_nothing_from_outside(tmp_path: Path) -> None:
    path = write_picture(tmp_path / '"><script>.png', "red", 1)
    text = render({"mistakes": with_thumbnails(wrong(str(path), 20))})
    sources = re.findall(r'<img [^>]*?src="([^"]*)"', text)
    assert len(sources) == 20
    assert all(source.startswith("data:image/jpeg;base64,") for source in sources)
    assert "img-src data:" in text
    assert "<script>" not in text
    assert not re.search(r"""(?:src|href)="(?!data:)|url\(|https?://(?!www\.w3\.org)""", text)


def test_a_page_about_texts_allows_no_pictures() -> None:
    row = {"text": "a", "label": "b", "predicted": "c", "confidence": 0.5, "place": "x"}
    text = render({"mistakes": [row]})
    assert "img-src" not in text
    assert "default-src 'none'" in text


def test_at_most_twenty_pictures_are_carried(tmp_path: Path) -> None:
    path = write_picture(tmp_path / "x.png", "red", 1)
    many = [{"image": str(path)} for _ in range(30)]
    assert sum("thumbnail" in row for row in with_thumbnails(many)) == 20


def test_a_picture_that_is_gone_is_shown_by_its_path(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    for name in ("gone.png", "broken.png"):
        text = render({"mistakes": with_thumbnails(wrong(str(tmp_path / name)))})
        assert "<img" not in text
        assert name in text
