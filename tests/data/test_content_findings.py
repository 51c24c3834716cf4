"""Planted faults of content are found where they are, and clean rows have none."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from tunewright.data.check import check_rows
from tunewright.data.checks.html import plain_text
from tunewright.data.checks.mojibake import repaired
from tunewright.data.checks.picture_content import near_pairs
from tunewright.data.checks.shortcuts import giving_away
from tunewright.data.columns import find_columns
from tunewright.data.findings import Finding
from tunewright.data.picture_views import View, shade_bits
from tunewright.data.read import read_data
from tunewright.data.rows import Rows, build_rows

WORDS = [
    "the",
    "red",
    "house",
    "stands",
    "near",
    "an",
    "old",
    "river",
    "where",
    "small",
    "boats",
    "carry",
    "heavy",
    "stones",
    "to",
    "town",
]
GERMAN = "Der Zug nach Hamburg hat heute leider wieder eine Verspätung von zwanzig Minuten"


def sentences(count: int, seed: int = 0) -> list[str]:
    draw = random.Random(seed)
    return [f"{' '.join(draw.choices(WORDS, k=12))} {i}" for i in range(count)]


def make(texts: list[str], labels: list[str] | None = None, **more: Any) -> Rows:
    ids = [f"{i:032x}" for i in range(len(texts))]
    labels = labels or ["b" if i % 2 else "a" for i in range(len(texts))]
    return Rows(texts, None, labels, ids, "x.csv", np.arange(len(texts)), **more)


def found(code: str, **parts: Rows) -> list[Finding]:
    return [finding for finding in check_rows(parts).findings if finding.code == code]


def test_clean_sentences_have_no_findings() -> None:
    assert check_rows({"all": make(sentences(200))}).findings == ()


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("mojibake", "das schÃ¶ne cafÃ© am Ufer"),
        ("mojibake", "a letter is \N{REPLACEMENT CHARACTER} lost"),
        ("html", "first line<br/>second line"),
        ("html", "fish &amp; chips"),
        ("long-text", "one row that swallowed the next " * 100),
    ],
)
def test_each_fault_of_one_row_is_found_in_that_row(code: str, text: str) -> None:
    texts = sentences(60)
    texts[17] = text
    (finding,) = found(code, all=make(texts))
    assert (finding.count, [row["line"] for row in finding.rows]) == (1, [17])


@pytest.mark.parametrize(
    "text",
    [
        "schöne Grüße aus dem Café",
        "日本語のテキスト",
        "I <3 you <user> & R&D; x < y > z",
        "привет 😀",
    ],
)
def test_letters_and_signs_of_people_are_no_faults(text: str) -> None:
    texts = sentences(60)
    texts[17] = text
    assert check_rows({"all": make(texts)}).findings == ()


def test_what_is_repaired_is_the_text_before() -> None:
    assert repaired("das schÃ¶ne cafÃ©") == "das schöne café"
    assert plain_text("<p>fish &amp; chips</p><br>now") == "fish & chips now"


def test_another_language_is_found_with_its_share() -> None:
    texts = sentences(190) + [f"{GERMAN} {i}" for i in range(9)]
    (finding,) = found("language-mix", all=make(texts))
    assert finding.count == 9
    assert "4.6% de" in finding.message
    assert finding.severity == "note"


def test_a_mark_of_a_label_is_a_warning_and_a_word_of_chance_is_nothing() -> None:
    texts = sentences(200)
    labels = ["b" if i % 2 else "a" for i in range(200)]
    assert giving_away(texts, [(label,) for label in labels]) == []
    marked = [
        f"{text} zq7" if label == "b" else text for text, label in zip(texts, labels, strict=True)
    ]
    (finding,) = found("shortcut", all=make(marked, labels))
    assert finding.severity == "warning"
    assert "'zq7' is in 100% of 'b', which has 100% of its rows" in finding.message


def test_a_word_of_nearly_every_row_does_not_give_the_common_label_away() -> None:
    texts = [f"{text} zq7" if i % 10 else text for i, text in enumerate(sentences(400))]
    labels = ["rare" if i % 20 == 7 else "common" for i in range(400)]
    assert giving_away(texts, [(label,) for label in labels]) == []


def test_a_label_that_stands_in_its_text_is_a_shortcut() -> None:
    labels = ["lost_card", "new_phone"] * 50
    texts = [
        f"{t} lost card" if i % 2 == 0 else f"{t} new phone" for i, t in enumerate(sentences(100))
    ]
    assert any(
        "name of their own label" in f.message for f in found("shortcut", all=make(texts, labels))
    )


def test_parts_of_one_source_do_not_drift() -> None:
    parts = {"train": make(sentences(300)), "test": make(sentences(200, seed=1))}
    assert found("drift", **parts) == []


def test_words_lengths_and_labels_drift_each_with_its_own_finding() -> None:
    other = [" ".join([*text.split()[:3], "engine", "fails"]) for text in sentences(200, seed=1)]
    parts = {"train": make(sentences(300)), "test": make(other, ["a"] * 180 + ["b"] * 20)}
    said = " ".join(finding.message for finding in found("drift", **parts))
    assert "in words" in said
    assert "'engine'" in said
    assert "in length" in said
    assert "in their labels: 40% of the rows" in said


def test_late_rows_drift_from_early_ones() -> None:
    texts = [f"{text} engine" if i >= 210 else text for i, text in enumerate(sentences(300))]
    times = [f"2024-{1 + i // 28:02d}-{1 + i % 28:02d}" for i in range(300)]
    messages = [finding.message for finding in found("drift", all=make(texts, times=times))]
    assert any("'engine'" in message for message in messages)
    assert all("the latest 30 %" in message for message in messages)


def test_findings_are_the_same_each_time() -> None:
    parts = {
        "train": make(sentences(300)),
        "test": make([f"{t} engine" for t in sentences(200, 1)]),
    }
    assert check_rows(parts) == check_rows(parts)


def photo(seed: int, side: int = 96) -> Image.Image:
    """Soft shapes, as photographs have."""
    grid = np.random.default_rng(seed).integers(0, 255, (6, 6, 3), dtype=np.uint8)
    return Image.fromarray(grid).resize((side, side), Image.Resampling.BICUBIC)


def test_copies_of_a_picture_are_near_and_others_are_not() -> None:
    first = photo(0)
    copies = [first, first.resize((60, 60)), ImageEnhance.Brightness(first).enhance(1.1)]
    seen = [
        View(96, "colour", shade_bits(image)) for image in copies + [photo(i) for i in range(1, 60)]
    ]
    assert near_pairs(seen) == [(0, 1), (0, 2), (1, 2)]
    flat = View(96, "colour", shade_bits(Image.new("RGB", (96, 96), "white")))
    assert near_pairs([flat, flat]) == []


def test_pictures_that_are_copies_tiny_or_of_other_pixels_are_named(tmp_path: Path) -> None:
    for part, start in (("train", 0), ("test", 100)):
        for i in range(24):
            folder = tmp_path / part / ("cat" if i % 2 else "dog")
            folder.mkdir(parents=True, exist_ok=True)
            photo(start + i).save(folder / f"{i:02d}.png")
    photo(100).save(tmp_path / "train" / "cat" / "leak.jpg", quality=80)
    photo(3).resize((70, 70)).save(tmp_path / "train" / "cat" / "copy.png")
    photo(500, side=20).save(tmp_path / "train" / "dog" / "tiny.png")
    photo(501).convert("L").save(tmp_path / "train" / "dog" / "grey.png")
    parts = {}
    for part, table in read_data(str(tmp_path)).items():
        parts[part] = build_rows(table, find_columns(table))
    for code, name in (
        ("near-leak", "leak.jpg"),
        ("near-duplicate", "copy.png"),
        ("tiny-image", "tiny.png"),
        ("image-mode", "grey.png"),
    ):
        (finding,) = found(code, **parts)
        assert finding.count == 1, code
        if code != "near-duplicate":
            assert name in finding.rows[0]["place"]
