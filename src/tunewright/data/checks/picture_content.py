"""What is wrong with pictures that can be read: nearly the same, tiny, or of another kind of pixels."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from tunewright.data.checks.index import Index, num_rows, pairs_of_parts
from tunewright.data.findings import Finding, Place, show
from tunewright.data.picture_views import View, views

TINY = 32  # pixels
NEAR_BITS = 8  # of 128
FEWEST_BITS = 8  # of a picture that is more than one shade
BANDS = 8  # of 16 bits; two pictures within 7 bits share one, and most within 8
Known = Sequence[tuple[str, int, View]]
PLAIN = ("colour", "grey")


def picture_content(index: Index) -> Iterator[Finding]:
    """Near copies within a part and between parts; tiny pictures; kinds of pixels that are few."""
    if index.noun != "picture":
        return
    known: list[tuple[str, int, View]] = []
    for part, rows in index.parts.items():
        whole = [row for row in range(len(rows)) if row not in index.empty[part]]
        seen = views(rows.texts[row] for row in whole)
        known += [(part, row, view) for row, view in zip(whole, seen, strict=True)]
    yield from _tiny(index, known)
    yield from _modes(index, known)
    yield from _near(index, known)


def _tiny(index: Index, known: Known) -> Iterator[Finding]:
    small = [(index.parts[part], row) for part, row, view in known if view.side < TINY]
    if small:
        yield Finding(
            "tiny-image",
            "note",
            f"{num_rows(len(small))} with a picture of fewer than {TINY} pixels on its shorter side",
            "look whether they are thumbnails or icons, and take larger ones",
            len(small),
            show(small),
        )


def _modes(index: Index, known: Known) -> Iterator[Finding]:
    kinds = Counter(view.kind for _, _, view in known)
    usual = max(PLAIN, key=lambda kind: kinds[kind])
    strange = [(index.parts[part], row) for part, row, view in known if view.kind != usual]
    if strange:
        said = ", ".join(f"{kind}: {count}" for kind, count in kinds.most_common() if kind != usual)
        yield Finding(
            "image-mode",
            "note",
            f"{num_rows(len(strange))} with a picture of other pixels than {usual} ({said}); they are read "
            "in RGB",
            "save all pictures in one mode, or look whether the others are of one class",
            len(strange),
            show(strange),
        )


def _near(index: Index, known: Known) -> Iterator[Finding]:
    pairs = near_pairs([view for _, _, view in known])
    within: set[int] = set()
    between: dict[tuple[str, str], set[int]] = defaultdict(set)
    for one, two in pairs:
        (part, row, _), (other, place, _) = known[one], known[two]
        if index.keys[part][row] == index.keys[other][place]:
            continue
        if part == other:
            within.add(two)
        between[part, other].add(one)
        between[other, part].add(two)
    if within:
        yield Finding(
            "near-duplicate",
            "note",
            f"{num_rows(len(within))} with a picture that is nearly the same as one before",
            "remove them if they are copies: the score is too good where copies are on both sides",
            len(within),
            show(_places(index, known, within)),
        )
    for part, other in pairs_of_parts(index.parts):
        near = between[part, other]
        if near:
            yield Finding(
                "near-leak",
                "warning",
                f"{num_rows(len(near))} of {part} ({index.parts[part].source}) with a picture that is "
                f"nearly the same as one of {other}",
                f"remove from {part} what is a copy of {other}",
                len(near),
                show(_places(index, known, near)),
            )


def _places(index: Index, known: Known, rows: set[int]) -> Iterator[Place]:
    return ((index.parts[known[row][0]], known[row][1]) for row in sorted(rows))


def near_pairs(seen: Sequence[View]) -> list[tuple[int, int]]:
    """Pairs (first, second) whose 128 bits differ in 8 or fewer; pictures of one shade have none."""
    bits = np.array([view.bits for view in seen], dtype=np.uint64).reshape(-1, 2)
    told = np.flatnonzero(np.bitwise_count(bits).sum(axis=1) >= FEWEST_BITS)
    bands = bits.view(np.uint16)
    found: set[tuple[int, int]] = set()
    for band in range(BANDS):
        order = told[np.argsort(bands[told, band], kind="stable")]
        borders = np.flatnonzero(np.diff(bands[order, band])) + 1
        for same in np.split(order, borders):
            if len(same) > 1:
                found.update(_near_in(same, bits))
    return sorted(found)


def _near_in(rows: NDArray[np.int64], bits: NDArray[np.uint64]) -> Iterator[tuple[int, int]]:
    for place, one in enumerate(rows[:-1].tolist()):
        others = rows[place + 1 :]
        apart = np.bitwise_count(bits[others] ^ bits[one]).sum(axis=1)
        yield from ((one, two) for two in others[apart <= NEAR_BITS].tolist())
