"""How much parts differ, or early rows from late ones: in words, lengths and labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tunewright.data.checks.index import Index
from tunewright.data.checks.readings import drawn, reading
from tunewright.data.checks.words import words_of
from tunewright.data.findings import Finding, Severity, show
from tunewright.data.labels import of_row
from tunewright.data.private.masked import masked
from tunewright.data.rows import Rows
from tunewright.data.split import parse_times
from tunewright.recipe.schema import Kind

MOST_ROWS = 2_000
LEAST_ROWS = 50
LATE = 0.3
CHANCE = 0.001
LABELS, LABELS_MUCH = 0.1, 0.3  # share of the rows that would need another label
AREA, AREA_MUCH = 0.65, 0.8  # how often a row can be told from one of the other side; 0.5 is never
FOLDS = 5


@dataclass(frozen=True)
class Side:
    """Some of the rows, and what they are called."""

    name: str
    rows: Rows
    taken: NDArray[np.int64]

    def texts(self) -> list[str]:
        """What a person reads of the rows."""
        return [reading(self.rows, row) for row in self.taken.tolist()]

    def labels(self, kind: Kind) -> Counter[str]:
        """How many rows there are of each class."""
        labels = self.rows.labels or []
        return Counter(name for i in self.taken.tolist() for name in of_row(labels[i], kind))


def drift(index: Index) -> Iterator[Finding]:
    """Differences between training and the other parts, and between early and late rows."""
    for early, late in _sides(index):
        if min(len(early.taken), len(late.taken)) < LEAST_ROWS:
            continue
        if early.rows.labels is not None and index.kind in ("one", "several"):
            yield from _of_labels(early, late, index.kind)
        if early.rows.reads != "image":
            yield from _of_texts(early, late)


def _sides(index: Index) -> Iterator[tuple[Side, Side]]:
    train = index.parts.get("train", index.parts.get("all"))
    if train is None:
        return
    whole = Side("train", train, drawn(len(train), MOST_ROWS))
    for part in ("validation", "test"):
        if part in index.parts:
            rows = index.parts[part]
            yield whole, Side(part, rows, drawn(len(rows), MOST_ROWS))
    if train.times is not None:
        order = np.argsort(parse_times(train), kind="stable")
        border = round(len(order) * (1 - LATE))
        early, late = order[:border], order[border:]
        yield (
            Side("the earliest 70 % of rows", train, early[drawn(len(early), MOST_ROWS)]),
            Side("the latest 30 %", train, late[drawn(len(late), MOST_ROWS)]),
        )


def _of_labels(early: Side, late: Side, kind: Kind) -> Iterator[Finding]:
    """Total variation distance of the labels, with a chi-square test."""
    from scipy.stats import chi2_contingency

    one, two = early.labels(kind), late.labels(kind)
    names = sorted(one | two)
    table = np.array([[one[name] for name in names], [two[name] for name in names]])
    if len(names) < 2 or not table.sum(axis=1).all():
        return
    shares = table / table.sum(axis=1, keepdims=True)
    distance = float(np.abs(shares[0] - shares[1]).sum() / 2)
    if distance < LABELS or chi2_contingency(table).pvalue > CHANCE:
        return
    most = int(np.abs(shares[0] - shares[1]).argmax())
    yield _finding(
        early,
        late,
        "warning" if distance >= LABELS_MUCH else "note",
        f"in their labels: {distance:.0%} of the rows would need another one to be alike; {names[most]!r} "
        f"is {shares[0][most]:.1%} and {shares[1][most]:.1%}",
        "take the parts from the same time and source, or judge by macro_f1",
    )


def _of_texts(early: Side, late: Side) -> Iterator[Finding]:
    """Mann-Whitney's area of the lengths, and that of a classifier which tells the sides apart."""
    from scipy.stats import mannwhitneyu

    one, two = early.texts(), late.texts()
    lengths = [np.array(list(map(len, side))) for side in (one, two)]
    tested = mannwhitneyu(lengths[1], lengths[0])
    area = float(tested.statistic) / (len(one) * len(two))
    if abs(area - 0.5) >= AREA - 0.5 and tested.pvalue < CHANCE:
        yield _finding(
            early,
            late,
            _severity(max(area, 1 - area)),
            f"in length: half of the texts have {np.median(lengths[0]):.0f} characters or fewer, and "
            f"{np.median(lengths[1]):.0f} (area under the curve {max(area, 1 - area):.2f})",
            "take the parts from the same time and source",
        )
    told, words, scores = tell_apart(one, two)
    if told >= AREA:
        yield _finding(
            early,
            late,
            _severity(told),
            f"in words: a classifier tells them apart (area under the curve {told:.2f}), most by "
            f"{', '.join(repr(masked(word)) for word in words)}",
            "take the parts from the same time and source, or expect a lower score on new rows",
            late.taken[np.argsort(-scores, kind="stable")],
        )


def tell_apart(one: list[str], two: list[str]) -> tuple[float, list[str], NDArray[np.float64]]:
    """How well words tell two groups of texts apart, out of sample; 0.5 where no better than chance.

    Returns:
        The area under the curve; the five words that tell the most; the scores of the second group.
    """
    from scipy.stats import mannwhitneyu
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    matrix, words = words_of([*one, *two], least_rows=2)
    side = np.repeat([0, 1], [len(one), len(two)])
    if matrix is None:
        return 0.5, [], np.zeros(len(two))
    model = LogisticRegression(C=0.3, class_weight="balanced", solver="liblinear", random_state=0)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    scores = cross_val_predict(model, matrix, side, cv=folds, method="decision_function")
    tested = mannwhitneyu(scores[side == 1], scores[side == 0], alternative="greater")
    area = float(tested.statistic) / (len(one) * len(two)) if tested.pvalue < CHANCE else 0.5
    weights = np.abs(model.fit(matrix, side).coef_[0])
    return area, list(words[np.argsort(-weights, kind="stable")[:5]]), scores[side == 1]


def _severity(area: float) -> Severity:
    return "warning" if area >= AREA_MUCH else "note"


def _finding(
    early: Side,
    late: Side,
    severity: Severity,
    how: str,
    fix: str,
    rows: NDArray[np.int64] | None = None,
) -> Finding:
    sampled = any(len(side.taken) == MOST_ROWS for side in (early, late))
    said = f" (in samples of up to {MOST_ROWS:,} rows)" if sampled else ""
    places = () if rows is None else ((late.rows, row) for row in rows.tolist())
    return Finding(
        "drift",
        severity,
        f"{early.name} and {late.name} differ {how}{said}",
        fix,
        len(late.taken),
        show(places),
    )
