"""Charts of a search, as inline SVG strings: history, importance, parallel coordinates, slices.

Colours come from the page's CSS classes, so one drawing serves light, dark and paper.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tunewright.evaluation.shown import word
from tunewright.evaluation.svg import Scale, drawing, element, shorten, text, ticks, titled

WIDTH, HEIGHT = 460, 270
LEFT, RIGHT, TOP, BOTTOM = 48, 20, 30, 44
SLICE_WIDTH, SLICE_HEIGHT = 280, 210
AXIS, WIDE_TOP, WIDE_HEIGHT = 128, 44, 330
SHADES = 5


@dataclass(frozen=True)
class Dot:
    """A trial: its score, in percent where people read it so, and its settings."""

    number: int
    value: float
    settings: Mapping[str, Any]
    pruned: bool
    best: bool

    @property
    def title(self) -> str:
        """What a tooltip says."""
        ended = " (ended early)" if self.pruned else ""
        said = ", ".join(f"{key} {plain(value)}" for key, value in self.settings.items())
        return f"trial {self.number}{ended}: {self.value:.4g}; {said or 'the default recipe'}"

    @property
    def css(self) -> str:
        """The class of its mark."""
        return "best" if self.best else "pruned" if self.pruned else "ended"


def plain(value: Any) -> str:
    """A setting, short.

    >>> plain(0.00012), plain("top-2"), plain(16)
    ('0.00012', 'top-2', '16')
    """
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def history(metric: str, dots: Sequence[Dot], *, higher: bool) -> str:
    """Each trial's score in order, and the best so far; "" without any."""
    if not dots:
        return ""
    values = [dot.value for dot in dots]
    up = ticks(min(values), max(values))
    last = max(dot.number for dot in dots)
    x = Scale(0, max(1, last), LEFT + 8, WIDTH - RIGHT)
    y = Scale(up[0], up[-1], HEIGHT - BOTTOM, TOP)
    parts = _grid(x, y, up)
    for value in ticks(0, max(1, last), whole=True):
        if value <= x.high:
            parts.append(
                text(f"{value:.0f}", x(value), y.start + 17, text_anchor="middle", class_="tick")
            )
    parts.append(text("trial", (x.start + x.end) / 2, y.start + 36, text_anchor="middle"))
    parts.append(text(word(metric), LEFT, 16))
    best, line = None, []
    for dot in dots:
        if not dot.pruned:
            turn = max if higher else min
            best = dot.value if best is None else turn(best, dot.value)
        if best is not None:
            line.append(f"{x(dot.number):.1f},{y(best):.1f}")
    parts.append(element("polyline", points=" ".join(line), class_="line second"))
    parts += [_mark(dot, x(dot.number), y(dot.value)) for dot in dots]
    return drawing(parts, WIDTH, HEIGHT, f"Scores of {len(dots)} trials")


def bars(shares: Mapping[str, float]) -> str:
    """Importance of each parameter; "" where it is not known."""
    if not shares:
        return ""
    row, left = 26, 170
    height = row * len(shares) + 16
    x = Scale(0, max(shares.values()), left, WIDTH - 60)
    parts = []
    for place, (key, share) in enumerate(shares.items()):
        y = 8 + row * place
        parts.append(text(shorten(key, left - 16), left - 10, y + 16, text_anchor="end"))
        parts.append(
            element("rect", x=left, y=y + 4, width=max(1, x(share) - left), height=16, class_="bar")
        )
        parts.append(text(f"{100 * share:.0f} %", x(share) + 8, y + 16, class_="tick"))
    said = ", ".join(f"{key} {share:.0%}" for key, share in shares.items())
    return drawing(parts, WIDTH, height, f"Importance: {said}")


def parallel(
    metric: str,
    dots: Sequence[Dot],
    space: Mapping[str, Any],
    keys: Sequence[str],
    *,
    higher: bool,
) -> str:
    """A line for each trial through its settings to its score, darker where the score is better.

    A trial without a setting passes below the axis, at the mark of those that have none.
    """
    drawn = [dot for dot in dots if dot.settings]
    if len(drawn) < 2 or not keys:
        return ""
    width = AXIS * len(keys) + 120
    bottom = WIDE_HEIGHT - 40
    axes = {key: _axis(space[key], bottom, WIDE_TOP) for key in keys}
    values = [dot.value for dot in drawn]
    score = Scale(min(values), max(values), bottom, WIDE_TOP)
    parts = []
    for place, key in enumerate(keys):
        parts += _vertical(40 + AXIS * place, key, axes[key].labels, bottom)
    ends = [(f"{value:.4g}", score(value)) for value in {min(values), max(values)}]
    parts += _vertical(40 + AXIS * len(keys), word(metric), ends, bottom)
    for dot in sorted(drawn, key=lambda each: (each.best, each.value)):
        places = [
            (40 + AXIS * place, axes[key].place(dot.settings.get(key), bottom + 22))
            for place, key in enumerate(keys)
        ]
        places.append((40 + AXIS * len(keys), score(dot.value)))
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in places)
        css = "thread best" if dot.best else f"thread shade{_shade(dot.value, values, higher)}"
        parts.append(titled("polyline", dot.title, points=points, class_=css))
    return drawing(parts, width, WIDE_HEIGHT, f"Settings and scores of {len(drawn)} trials")


def slice_of(metric: str, dots: Sequence[Dot], key: str, parameter: Mapping[str, Any]) -> str:
    """Score over one parameter; each trial that has it is a dot."""
    there = [dot for dot in dots if key in dot.settings]
    if not there:
        return ""
    values = [dot.value for dot in there]
    up = ticks(min(values), max(values), 4)
    across = _axis(parameter, LEFT + 8, SLICE_WIDTH - RIGHT)
    y = Scale(up[0], up[-1], SLICE_HEIGHT - BOTTOM, TOP)
    x = Scale(0, 1, LEFT, SLICE_WIDTH - RIGHT)
    parts = _grid(x, y, up)
    for label, place in across.labels:
        parts.append(
            text(shorten(label, 60), place, y.start + 17, text_anchor="middle", class_="tick")
        )
    parts.append(text(key, (x.start + x.end) / 2, y.start + 36, text_anchor="middle"))
    parts.append(text(word(metric), LEFT, 16, class_="tick"))
    parts += [_mark(dot, across.place(dot.settings[key], 0.0), y(dot.value)) for dot in there]
    return drawing(parts, SLICE_WIDTH, SLICE_HEIGHT, f"{word(metric)} over {key}")


def rates(group: Mapping[str, Any]) -> str:
    """The loss of a range test over the rate, and the rate that short runs found."""
    curve = [(math.log10(rate), loss) for rate, loss in group["curve"]]
    if len(curve) < 2:
        return ""
    lowest = min(loss for _, loss in curve)
    curve = [(rate, min(loss, 2 * lowest)) for rate, loss in curve]
    up = ticks(lowest, max(loss for _, loss in curve), 4)
    x = Scale(curve[0][0], curve[-1][0], LEFT + 8, WIDTH - RIGHT)
    y = Scale(up[0], up[-1], HEIGHT - BOTTOM, TOP)
    parts = _grid(x, y, up)
    for power in range(math.ceil(x.low), math.floor(x.high) + 1):
        parts.append(
            text(f"1e{power}", x(power), y.start + 17, text_anchor="middle", class_="tick")
        )
    name = f"learning rate of the {group['group']}"
    parts.append(text(name, (x.start + x.end) / 2, y.start + 36, text_anchor="middle"))
    parts.append(text("training loss of a range test", LEFT, 16))
    line = " ".join(f"{x(rate):.1f},{y(loss):.1f}" for rate, loss in curve)
    parts.append(element("polyline", points=line, class_="line first"))
    for value, said, css in (
        (group["raw"], "steepest", "border"),
        (group["rate"], "found", "best"),
    ):
        at = x(min(max(math.log10(value), x.low), x.high))
        parts.append(element("line", x1=at, x2=at, y1=TOP, y2=y.start, class_=f"mark {css}"))
        parts.append(text(said, at + 4, TOP + (12 if css == "best" else 28), class_="tick halo"))
    return drawing(parts, WIDTH, HEIGHT, f"{name}: {group['rate']:g}")


@dataclass(frozen=True)
class _Axis:
    """Places of a parameter's values along an axis, and what is written there."""

    places: Mapping[str, float] | None
    scale: Scale | None
    log: bool
    labels: list[tuple[str, float]]

    def place(self, value: Any, missing: float) -> float:
        """Of a value; what the space does not have, or no value, is at `missing`."""
        if value is None:
            return missing
        if self.places is not None:
            return self.places.get(plain(value), missing)
        if self.scale is None or not isinstance(value, int | float):
            return missing
        return self.scale(math.log10(value) if self.log else float(value))


def _axis(parameter: Mapping[str, Any], start: float, end: float) -> _Axis:
    if "values" in parameter:
        names = [plain(value) for value in parameter["values"]]
        step = (end - start) / max(1, len(names) - 1)
        found = {name: start + step * at for at, name in enumerate(names)}
        if len(names) == 1:
            found = {names[0]: (start + end) / 2}
        return _Axis(found, None, False, list(found.items()))
    low, high, log = float(parameter["low"]), float(parameter["high"]), bool(parameter["log"])
    scale = Scale(math.log10(low) if log else low, math.log10(high) if log else high, start, end)
    middle = math.sqrt(low * high) if log else (low + high) / 2
    labels = [
        (f"{value:.2g}", scale(math.log10(value) if log else value))
        for value in (low, middle, high)
    ]
    return _Axis(None, scale, log, labels)


def _vertical(x: float, name: str, labels: Sequence[tuple[str, float]], bottom: float) -> list[str]:
    parts = [
        element("line", x1=x, x2=x, y1=WIDE_TOP, y2=bottom, class_="axis"),
        text(shorten(name.rpartition(".")[2], AXIS - 8), x, 20, text_anchor="middle"),
    ]
    for label, place in labels:
        parts.append(text(label, x + 6, place + 4, class_="tick halo"))
    return parts


def _grid(x: Scale, y: Scale, up: Sequence[float]) -> list[str]:
    parts = []
    for value in up:
        parts.append(element("line", x1=x.start, x2=x.end, y1=y(value), y2=y(value), class_="grid"))
        parts.append(text(f"{value:.4g}", LEFT - 7, y(value) + 4, text_anchor="end", class_="tick"))
    return parts


def _mark(dot: Dot, a: float, b: float) -> str:
    return titled(
        "circle", dot.title, cx=a, cy=b, r=5 if dot.best else 3.4, class_=f"trial {dot.css}"
    )


def _shade(value: float, values: Sequence[float], higher: bool) -> int:
    """By rank, from 0 to 4; scores that are equal are drawn alike."""
    no_better = sum((each <= value) if higher else (each >= value) for each in values)
    return (SHADES * no_better - 1) // max(1, len(values))
