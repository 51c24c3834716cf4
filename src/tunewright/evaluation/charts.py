"""Charts of the report, as inline SVG strings.

Colours come from the page's CSS classes, so one drawing serves light, dark and paper.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tunewright.evaluation.shown import bounds, in_percent, number, word
from tunewright.evaluation.svg import (
    Scale,
    drawing,
    element,
    shorten,
    text,
    ticks,
    titled,
    width_of,
)

WIDTH, HEIGHT = 460, 270
LEFT, RIGHT, TOP, BOTTOM = 48, 20, 48, 40
MOST_POINTS = 150  # a line is averaged down to this many

Point = tuple[float, float]


@dataclass(frozen=True)
class Series:
    """One line: points (step, value) and the CSS class that colours it."""

    name: str
    points: list[Point]
    css: str


def points(entries: Sequence[dict[str, Any]], key: str) -> list[Point]:
    """(step, value) of the entries that have a finite value under `key`."""
    found = ((entry["step"], entry.get(key)) for entry in entries)
    return [
        (float(step), float(value))
        for step, value in found
        if value is not None and math.isfinite(value)
    ]


def averaged(line: list[Point], most: int = MOST_POINTS) -> list[Point]:
    """Means of equal stretches, so that a long line stays light; short ones are unchanged."""
    if len(line) <= most:
        return line
    size = math.ceil(len(line) / most)
    stretches = [line[start : start + size] for start in range(0, len(line), size)]
    return [
        (sum(x for x, _ in part) / len(part), sum(y for _, y in part) / len(part))
        for part in stretches
    ]


def learning_curve(
    series: Sequence[Series],
    *,
    title: str,
    factor: float = 1.0,
    phases: Sequence[dict[str, Any]] = (),
    best: Point | None = None,
) -> str:
    """Lines over steps, with phase borders and the best point; "" without any point.

    Args:
        factor: multiplies the values, 100 for percent.
        phases: [{"name", "first_step", "last_step"}].
        best: (step, value) to mark.
    """
    series = [Series(s.name, [(x, factor * y) for x, y in s.points], s.css) for s in series]
    everything = [point for line in series for point in line.points]
    if not everything:
        return ""
    steps = [x for x, _ in everything] + [float(p["last_step"]) for p in phases]
    across = ticks(0, max([*steps, 1.0]), whole=True)
    values = [y for _, y in everything]
    up = ticks(min(values), max(values))
    x, y = (
        Scale(0, max([*steps, 1.0]), LEFT, WIDTH - RIGHT),
        Scale(up[0], up[-1], HEIGHT - BOTTOM, TOP),
    )
    parts = [*_axes(x, y, across, up, "step"), *_phases(x, phases), *_legend(series)]
    for line in series:
        parts += _line(line, x, y)
    if best is not None:
        parts += _best(x(best[0]), y(factor * best[1]))
    last = ", ".join(f"{s.name} ends at {s.points[-1][1]:.4g}" for s in series if s.points)
    return drawing(parts, WIDTH, HEIGHT, f"{title}: {last}")


def _line(line: Series, x: Scale, y: Scale) -> list[str]:
    placed = [(x(step), y(value)) for step, value in averaged(line.points)]
    path = " ".join(f"{a:.1f},{b:.1f}" for a, b in placed)
    dots = placed if len(placed) <= 40 else []
    return [
        element("polyline", points=path, class_=f"line {line.css}"),
        *(element("circle", cx=a, cy=b, r=2.2, class_=f"dot {line.css}") for a, b in dots),
    ]


def _best(a: float, b: float) -> list[str]:
    anchor = "end" if a > WIDTH * 0.7 else "start"
    beside = -10 if anchor == "end" else 10
    return [
        element("circle", cx=a, cy=b, r=6, class_="best"),
        text("best", a + beside, b + 16, class_="strong halo", text_anchor=anchor),
    ]


def _axes(x: Scale, y: Scale, across: Sequence[float], up: Sequence[float], name: str) -> list[str]:
    parts = []
    decimals = _decimals(up)
    for value in up:
        parts.append(element("line", x1=x.start, x2=x.end, y1=y(value), y2=y(value), class_="grid"))
        label = f"{value:.{decimals}f}"
        parts.append(text(label, x.start - 7, y(value) + 4, text_anchor="end", class_="tick"))
    for value in across:
        if value <= x.high:
            parts.append(
                text(f"{value:,.0f}", x(value), y.start + 17, text_anchor="middle", class_="tick")
            )
    parts.append(text(name, (x.start + x.end) / 2, y.start + 34, text_anchor="middle"))
    return parts


def _decimals(values: Sequence[float]) -> int:
    """Decimals that keep every tick apart from its neighbour."""
    return next((d for d in range(5) if all(abs(v - round(v, d)) < 1e-9 for v in values)), 4)


def _phases(x: Scale, phases: Sequence[dict[str, Any]]) -> list[str]:
    """Dashed borders; the name of each phase where it fits, its number where it does not."""
    parts = []
    for place, phase in enumerate(phases, start=1):
        start = x(max(0, phase["first_step"] - 1))
        room = x(phase["last_step"]) - start
        if place > 1:
            parts.append(
                element(
                    "line", x1=start, x2=start, y1=TOP - 16, y2=HEIGHT - BOTTOM, class_="border"
                )
            )
        name = f"{place} {phase['name']}"
        name = name if width_of(name, 11) <= room - 6 else str(place)
        parts.append(text(name, start + room / 2, TOP - 8, text_anchor="middle", class_="phase"))
    return parts


def _legend(series: Sequence[Series]) -> list[str]:
    parts, place = [], float(LEFT)
    for line in series:
        parts.append(
            element("line", x1=place, x2=place + 18, y1=12, y2=12, class_=f"line {line.css}")
        )
        parts.append(text(line.name, place + 24, 16))
        place += 44 + width_of(line.name)
    return parts


def reliability(bins: Sequence[dict[str, Any]]) -> str:
    """Accuracy per bin of confidence against the diagonal, with the rows of each bin.

    Args:
        bins: [{"low", "high", "confidence", "accuracy", "count"}], shares in 0..1.
    """
    if not bins:
        return ""
    height, top = 330, 30
    base = height - 88
    x, y = Scale(0, 1, LEFT, WIDTH - RIGHT), Scale(0, 1, base, top)
    parts = []
    for value in (0, 0.25, 0.5, 0.75, 1):
        parts.append(element("line", x1=x.start, x2=x.end, y1=y(value), y2=y(value), class_="grid"))
        parts.append(
            text(
                f"{100 * value:.0f} %", x.start - 7, y(value) + 4, text_anchor="end", class_="tick"
            )
        )
        parts.append(
            text(f"{100 * value:.0f} %", x(value), base + 17, text_anchor="middle", class_="tick")
        )
    most = max(entry["count"] for entry in bins)
    for entry in bins:
        parts += _bin(entry, x, y, most, floor=height - 34)
    parts.append(element("line", x1=x(0), y1=y(0), x2=x(1), y2=y(1), class_="diagonal"))
    parts.append(text("accuracy", LEFT, 16))
    parts.append(text("rows", x.start - 7, height - 38, text_anchor="end", class_="tick"))
    parts.append(text("confidence", (x.start + x.end) / 2, height - 2, text_anchor="middle"))
    said = ", ".join(f"{b['confidence']:.0%} sure: {b['accuracy']:.0%} right" for b in bins)
    return drawing(parts, WIDTH, height, f"Calibration: {said}")


def _bin(entry: dict[str, Any], x: Scale, y: Scale, most: int, *, floor: float) -> list[str]:
    """A bar of accuracy, its mean confidence as a tick, and the number of rows below."""
    left, right = x(entry["low"]) + 1.5, x(entry["high"]) - 1.5
    tall = 22 * entry["count"] / most
    said = f"{entry['count']:,} rows: {entry['confidence']:.1%} sure, {entry['accuracy']:.1%} right"
    bar = {"x": left, "width": right - left}
    return [
        titled(
            "rect",
            said,
            y=y(entry["accuracy"]),
            height=y.start - y(entry["accuracy"]),
            class_="bar",
            **bar,
        ),
        element(
            "line",
            x1=left,
            x2=right,
            y1=y(entry["confidence"]),
            y2=y(entry["confidence"]),
            class_="sure",
        ),
        titled("rect", said, y=floor - tall, height=max(tall, 1), class_="rows", **bar),
        text(
            compact(entry["count"]),
            (left + right) / 2,
            floor + 12,
            text_anchor="middle",
            class_="tiny",
        ),
    ]


def scatter(points: Sequence[tuple[float, float]]) -> str:
    """Answers (up) by labels (across), against the diagonal.

    Args:
        points: [(label, answer)].
    """
    if not points:
        return ""
    everything = [value for point in points for value in point]
    marks = ticks(min(everything), max(everything))
    x = Scale(marks[0], marks[-1], LEFT, WIDTH - RIGHT)
    y = Scale(marks[0], marks[-1], 300, 30)
    parts = _axes(x, y, marks, marks, "label")
    parts.append(element("line", x1=x.start, y1=y.start, x2=x.end, y2=y.end, class_="diagonal"))
    parts += [element("circle", cx=x(a), cy=y(b), r=2.5, class_="point") for a, b in points]
    parts.append(text("answer", LEFT, 16))
    return drawing(parts, WIDTH, 340, f"Answers by labels, {len(points)} rows")


def compact(count: int) -> str:
    """A count in at most five letters.

    >>> compact(950), compact(12_345)
    ('950', '12k')
    """
    if count < 1000:
        return str(count)
    return f"{count / 1000:.1f}k" if count < 10_000 else f"{count / 1000:.0f}k"


def forest(metric: str, entries: Sequence[tuple[str, dict[str, float]]]) -> str:
    """Value and interval of each model on one axis, the first one emphasised.

    Args:
        entries: [(name, {"value", "low", "high"})].
    """
    if not entries:
        return ""
    factor = 100 if in_percent(metric) else 1
    ends = [entry.get(key, entry["value"]) for _, entry in entries for key in ("low", "high")]
    up = ticks(factor * min(ends), factor * max(ends))
    names_end, row = 118, 34
    height = 14 + row * len(entries) + 40
    x = Scale(up[0], up[-1], names_end + 14, WIDTH - RIGHT - 8)
    floor = height - 38
    decimals = _decimals(up)
    parts = [element("line", x1=x(v), x2=x(v), y1=8, y2=floor, class_="grid") for v in up]
    parts += [
        text(f"{v:.{decimals}f}", x(v), floor + 16, text_anchor="middle", class_="tick") for v in up
    ]
    for place, (name, entry) in enumerate(entries):
        parts += _whisker(
            name, entry, x, y=16 + row * (place + 0.5), factor=factor, ours=place == 0
        )
    unit = f"{word(metric)}{', %' if factor == 100 else ''}"
    parts.append(text(unit, (x.start + x.end) / 2, height - 4, text_anchor="middle"))
    said = "; ".join(
        f"{n} {number(metric, e['value'])} {bounds(metric, e.get('low', e['value']), e.get('high', e['value']))}"
        for n, e in entries
    )
    return drawing(parts, WIDTH, height, f"{word(metric)}: {said}")


def _whisker(
    name: str, entry: dict[str, float], x: Scale, *, y: float, factor: float, ours: bool
) -> list[str]:
    css = "ours" if ours else "theirs"
    low, value, high = (
        x(factor * entry.get(key, entry["value"])) for key in ("low", "value", "high")
    )
    return [
        text(shorten(name, 112), 118, y + 4, text_anchor="end", class_="strong" if ours else ""),
        element("line", x1=low, x2=high, y1=y, y2=y, class_=f"whisker {css}"),
        element("circle", cx=value, cy=y, r=5 if ours else 4, class_=f"mark {css}"),
    ]
