"""The few pieces that every chart is drawn from. All text and attributes are escaped."""

from __future__ import annotations

import math
import unicodedata
from dataclasses import dataclass
from html import escape

Number = int | float


@dataclass(frozen=True)
class Scale:
    """Maps low..high to start..end, in drawing units."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low) if self.high > self.low else 0.5
        return self.start + share * (self.end - self.start)


def element(name: str, content: str = "", **attributes: Number | str) -> str:
    """One element; `content` is markup already. `stroke_width` becomes stroke-width.

    >>> element("line", x1=0, x2=2.504, class_="grid")
    '<line x1="0" x2="2.5" class="grid"></line>'
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_plain(value))}"'
        for key, value in attributes.items()
    )
    return f"<{name}{written}>{content}</{name}>"


def _plain(value: Number | str) -> str:
    return value if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")


def text(string: str, x: float, y: float, **attributes: Number | str) -> str:
    """A line of text, escaped."""
    return element("text", escape(string), x=x, y=y, **attributes)


def titled(shape: str, title: str, **attributes: Number | str) -> str:
    """A shape with a tooltip."""
    return element(shape, element("title", escape(title)), **attributes)


def drawing(parts: list[str], width: float, height: float, description: str) -> str:
    """The whole picture, with its description for those who cannot see it."""
    return element(
        "svg",
        "".join(parts),
        viewBox=f"0 0 {width:.0f} {height:.0f}",
        width=round(width),
        height=round(height),
        role="img",
        aria_label=description,
    )


def ticks(low: float, high: float, about: int = 5, *, whole: bool = False) -> list[float]:
    """Round numbers that cover low..high, the first at or below it and the last at or above.

    >>> ticks(0.03, 0.94)
    [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    """
    span = (high - low) or abs(high) or 1.0
    raw = span / about
    size = 10.0 ** math.floor(math.log10(raw))
    step = next(size * factor for factor in (1, 2, 2.5, 5, 10) if size * factor >= raw * 0.999)
    step = max(1.0, round(step)) if whole else step
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    last = max(last, first + 1)
    return [round(step * k, 10) for k in range(first, last + 1)]


def width_of(string: str, size: float = 12) -> float:
    """Estimated width of a line of text; East Asian characters count double."""
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in string)
    return (len(string) + wide * 0.75) * size * 0.56


def shorten(string: str, width: float, size: float = 12) -> str:
    """Cut out the middle to fit `width`: class names often differ only at their end.

    >>> shorten("card_delivery_estimate", 80)
    'card_…imate'
    """
    if width_of(string, size) <= width:
        return string
    kept = len(string) - 1
    while kept > 1 and width_of(_without_middle(string, kept), size) > width:
        kept -= 1
    return _without_middle(string, kept)


def _without_middle(string: str, kept: int) -> str:
    return f"{string[: kept // 2]}…{string[len(string) - (kept - kept // 2) :]}"
