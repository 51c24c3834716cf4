"""Texts in other languages than most."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from tunewright.data.checks.index import Index
from tunewright.data.checks.readings import drawn, reading, sample_words
from tunewright.data.findings import Finding, Place, show

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

MOST_ROWS = 2_000
LEAST_CHARACTERS, READ_CHARACTERS = 40, 1_000
LEAST_TEXTS = 20
SURE = 0.8
LEAST_ROWS, LEAST_SHARE, MUCH = 3, 0.005, 0.05
NO_LANGUAGE = "zxx"


def language_mix(index: Index) -> Iterator[Finding]:
    """Rows that are surely in another language than most, among those long enough to tell."""
    total = sum(len(rows) for rows in index.parts.values())
    found: dict[str, list[Place]] = defaultdict(list)
    for place, text in _long_enough(index):
        language = language_of(text)
        if language is not None:
            found[language].append(place)
    told = sum(map(len, found.values()))
    ranked = sorted(found, key=lambda language: (-len(found[language]), language))
    others = [place for language in ranked[1:] for place in found[language]]
    if not is_mixed(told, len(others)):
        return
    shares = ", ".join(f"{len(found[name]) / told:.1%} {name}" for name in ranked[:5])
    more = f" and {len(ranked) - 5} more languages" if len(ranked) > 5 else ""
    yield Finding(
        "language-mix",
        "warning" if len(others) > MUCH * told else "note",
        f"{sample_words(min(total, MOST_ROWS), total)}{told:,} texts are long enough to tell their "
        f"language: {shares}{more}",
        "take a model of all these languages, or leave the rows of the others out",
        len(others),
        show(others),
    )


def language_of(text: str) -> str | None:
    """The code of a text's language, such as en; None where it is too short, or could be another."""
    text = text[:READ_CHARACTERS]
    if len(text.strip()) < LEAST_CHARACTERS:
        return None
    language, sure = _identifier().classify(text)
    return str(language) if sure >= SURE and language != NO_LANGUAGE else None


def is_mixed(told: int, others: int) -> bool:
    """Whether so many rows in other languages, of those whose language is told, are no mistakes."""
    return told >= LEAST_TEXTS and others >= max(LEAST_ROWS, LEAST_SHARE * told)


def _long_enough(index: Index) -> list[tuple[Place, str]]:
    """The sampled rows whose texts say their language; none where these are too few."""
    parts = [rows for rows in index.parts.values() if rows.reads != "image"]
    ends = np.cumsum([len(rows) for rows in parts])
    texts = []
    for number in drawn(int(ends[-1]), MOST_ROWS).tolist() if parts else ():
        part = int(np.searchsorted(ends, number, side="right"))
        row = number - (int(ends[part - 1]) if part else 0)
        text = reading(parts[part], row)[:READ_CHARACTERS]
        if len(text.strip()) >= LEAST_CHARACTERS:
            texts.append(((parts[part], row), text))
    return texts if len(texts) >= LEAST_TEXTS else []


@lru_cache(maxsize=1)
def _identifier() -> LanguageIdentifier:
    """Naive Bayes over sequences of bytes, 97 languages; the model is in the package."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
