"""One word that gives a label away, and labels that stand in the text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tunewright.data.checks.index import Index
from tunewright.data.checks.readings import Met, drawn, reading, sample_words
from tunewright.data.checks.words import words_of
from tunewright.data.findings import Finding, show
from tunewright.data.labels import of_row
from tunewright.data.private.masked import masked
from tunewright.data.rows import Rows

MOST_ROWS = 20_000
LEAST_ROWS = 8
PRECISION = 0.95
GAIN = 0.1  # most wrong rows, of those that are wrong without the word
SOME, MOST = 0.3, 0.9  # of the rows of a label
CHANCE = 0.001  # that any word of all looks so by chance


@dataclass(frozen=True)
class Shortcut:
    """`word` is in the share `covers` of the label's rows, and hardly in any others."""

    word: str
    label: str
    rows: int
    covers: float
    precision: float


def shortcuts(index: Index) -> Iterator[Finding]:
    """Words that give a label away in what is learned from, and labels' names in its texts."""
    rows = index.parts.get("train", index.parts.get("all"))
    if rows is None or rows.labels is None or rows.reads != "text" or index.kind == "number":
        return
    taken = drawn(len(rows), MOST_ROWS)
    texts = [reading(rows, row) for row in taken.tolist()]
    classes = [of_row(rows.labels[row], index.kind) for row in taken.tolist()]
    said = sample_words(len(taken), len(rows))
    found = giving_away(texts, classes)
    for severity, some in (
        ("warning", [each for each in found if each.covers >= MOST]),
        ("note", [each for each in found if each.covers < MOST]),
    ):
        if some:
            yield _finding(severity, some, said, (rows, taken, texts))
    yield from _named(rows, taken, texts, classes, said)


def giving_away(texts: list[str], classes: list[tuple[str, ...]]) -> list[Shortcut]:
    """The best word of each label that one gives away, those that explain most first.

    A word does when 95 % of its rows have the label, with a tenth of the mistakes that one makes
    without it; it is in 30 % of the label's rows; and so many are no chance: the binomial tail, times all pairs of word and label, is below 0.001.
    """
    from scipy.stats import binom

    names = sorted({name for each in classes for name in each})
    matrix, words = words_of(texts, LEAST_ROWS)
    if matrix is None or len(names) < 2:
        return []
    every = np.asarray(matrix.sum(axis=0)).ravel()
    found = []
    for name in names:
        member = np.array([name in each for each in classes])
        inside = np.asarray(matrix[np.flatnonzero(member)].sum(axis=0)).ravel()
        share = member.mean()
        sure = max(PRECISION, 1 - GAIN * (1 - share))
        good = (inside >= sure * every) & (inside >= max(LEAST_ROWS, SOME * member.sum()))
        for place in np.flatnonzero(good):
            tail = binom.sf(inside[place] - 1, every[place], share)
            if tail * len(words) * len(names) < CHANCE:
                covers = float(inside[place] / member.sum())
                precision = float(inside[place] / every[place])
                found.append(Shortcut(words[place], name, int(inside[place]), covers, precision))
    found.sort(key=lambda each: (-each.covers, -each.precision, each.label, each.word))
    best: dict[str, Shortcut] = {}
    for each in found:
        best.setdefault(each.label, each)
    return list(best.values())


def _finding(
    severity: str, some: list[Shortcut], said: str, read: tuple[Rows, np.ndarray, list[str]]
) -> Finding:
    rows, taken, texts = read
    shown = "; ".join(
        f"{masked(each.word)!r} is in {each.covers:.0%} of {each.label!r}, which has "
        f"{each.precision:.0%} of its rows"
        for each in some[:3]
    )
    more = f" (and {len(some) - 3} more labels)" if len(some) > 3 else ""
    matrix, words = words_of(texts, LEAST_ROWS)
    column = int(np.flatnonzero(words == some[0].word)[0])
    places = taken[np.sort(matrix[:, [column]].nonzero()[0])].tolist() if matrix is not None else []
    return Finding(
        "shortcut",
        "warning" if severity == "warning" else "note",
        f"{said}one word gives a label away: {shown}{more}",
        "if the word is a mark of where the rows come from, remove it; if it is what the label means, "
        "nothing is wrong",
        len(some),
        show((rows, row) for row in places),
    )


def _named(
    rows: Rows, taken: np.ndarray, texts: list[str], classes: list[tuple[str, ...]], said: str
) -> Iterator[Finding]:
    """The label's own name in the text, in 30 % of the rows or more, and nearly always the right one."""
    names = {name: _plain(name) for each in classes for name in each}
    names = {name: plain for name, plain in names.items() if len(plain) > 4 and plain.strip()}
    met, right, wrong = Met(), 0, 0
    for row, text, own in zip(taken.tolist(), texts, classes, strict=True):
        plain = _plain(text)
        inside = {name for name, written in names.items() if written in plain}
        wrong += len(inside - set(own))
        if inside & set(own):
            right += len(inside & set(own))
            met.add(rows, row)
    if met.count >= SOME * len(texts) and right >= PRECISION * (right + wrong):
        yield Finding(
            "shortcut",
            "warning",
            f"{said}{met.count:,} texts hold the name of their own label: the answer stands in the question",
            "take the label out of the text, or name the right column as text",
            met.count,
            show(met.places),
        )


def _plain(text: str) -> str:
    """In small letters with single blanks around every word."""
    return f" {' '.join(''.join(s if s.isalpha() else ' ' for s in text.casefold()).split())} "
