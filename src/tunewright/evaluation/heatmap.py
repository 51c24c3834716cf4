"""Which class is taken for which: a heat map for few classes, the worst pairs for many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tunewright.evaluation.svg import drawing, shorten, text, titled, width_of

MOST_CLASSES = 30
NAME_WIDTH = 130.0


def confusion_map(confusion: Sequence[Sequence[int]], labels: Sequence[str]) -> str:
    """Rows by true class (down) and predicted class (across), shaded by share of the true class.

    Args:
        confusion: (C, C) counts. labels: C names.
    """
    num_classes = len(labels)
    cell = max(26.0, min(84.0, 420 / num_classes))
    names = [shorten(name, NAME_WIDTH) for name in labels]
    left = 42 + max(width_of(name) for name in names)
    flat = max(width_of(name) for name in names) <= cell - 6
    top = 44.0 if flat else 50 + 0.72 * max(width_of(name) for name in names)
    width = left + cell * num_classes + (8 if flat else max(8.0, 0.72 * width_of(names[-1]) - 10))
    height = top + cell * num_classes + 8
    parts = [
        text("predicted", left + cell * num_classes / 2, 14, text_anchor="middle", class_="axis"),
        text(
            "true",
            14,
            top + cell * num_classes / 2,
            text_anchor="middle",
            class_="axis",
            transform=f"rotate(-90 14 {top + cell * num_classes / 2:.1f})",
        ),
    ]
    for place, name in enumerate(names):
        middle = cell * (place + 0.5)
        parts.append(text(name, left - 8, top + middle + 4, text_anchor="end"))
        parts.append(_column_name(name, left + middle, top - 8, flat=flat))
    for true, counts in enumerate(confusion):
        for predicted, count in enumerate(counts):
            corner = (left + cell * predicted, top + cell * true)
            said = f"{labels[true]} taken for {labels[predicted]}: {count:,} of {sum(counts):,}"
            share = count / (sum(counts) or 1)
            parts += _cell(count, share, corner, cell, said, right=true == predicted)
    right = sum(counts[place] for place, counts in enumerate(confusion))
    total = sum(map(sum, confusion))
    said = f"Confusion matrix of {num_classes} classes: {right:,} of {total:,} rows on the diagonal"
    return drawing(parts, width, height, said)


def _column_name(name: str, x: float, y: float, *, flat: bool) -> str:
    if flat:
        return text(name, x, y, text_anchor="middle")
    return text(name, x, y, text_anchor="start", transform=f"rotate(-45 {x:.1f} {y:.1f})")


def _cell(
    count: int, share: float, corner: tuple[float, float], cell: float, said: str, *, right: bool
) -> list[str]:
    x, y = corner
    shade = 0.0 if not count else 0.12 + 0.88 * share
    square = {"x": x + 1, "y": y + 1, "width": cell - 2, "height": cell - 2, "rx": 3}
    parts = [titled("rect", said, **square, class_="cell empty")]
    if count:
        side = "cell right" if right else "cell wrong"
        parts.append(titled("rect", said, **square, class_=side, fill_opacity=shade))
        size = min(15.0, (cell - 4) / max(2, len(f"{count:,}")) / 0.6)
        parts.append(
            text(
                f"{count:,}",
                x + cell / 2,
                y + cell / 2 + size * 0.36,
                text_anchor="middle",
                class_="count dark" if shade > 0.75 else "count",
                font_size=size,
            )
        )
    return parts


def confused_pairs(
    confusion: Sequence[Sequence[int]], labels: Sequence[str], limit: int = 20
) -> list[dict[str, Any]]:
    """The off-diagonal cells with most rows: [{"label", "predicted", "count", "share"}].

    `share` is of the rows of the true class.
    """
    pairs = [
        {
            "label": labels[true],
            "predicted": labels[predicted],
            "count": count,
            "share": count / sum(counts),
        }
        for true, counts in enumerate(confusion)
        for predicted, count in enumerate(counts)
        if count and true != predicted
    ]
    return sorted(pairs, key=lambda pair: -int(str(pair["count"])))[:limit]
