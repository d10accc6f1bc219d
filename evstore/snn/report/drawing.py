"""Curves, bars and strips as SVG, by hand: a page must not need anything else."""

from __future__ import annotations

import math
from collections.abc import Sequence

from evstore.snn.report.html import Html, esc, joined, tag
from evstore.snn.report.words import short

Points = Sequence[tuple[float, float]]

WIDTH, HEIGHT = 420, 190
LEFT, RIGHT, TOP, BOTTOM = 52, 8, 8, 24
SHOWN = 240  # points of a curve: more than a screen can tell apart
LETTERS = 45  # below an axis
COLOURS = 6


def curves(title: str, series: dict[str, Points], x_name: str = "step", log: bool = False) -> Html:
    """Lines over one x axis with a legend; ``log``: powers of ten, where all values are > 0."""
    drawn = {name: thinned(points) for name, points in series.items() if points}
    every = [point for points in drawn.values() for point in points]
    if not every:
        return Html("")
    log = log and all(y > 0 for _, y in every)
    low, high = _padded([math.log10(y) if log else y for _, y in every])
    left, right = min(x for x, _ in every), max(x for x, _ in every)

    def place(x: float, y: float) -> tuple[float, float]:
        y = math.log10(y) if log else y
        across = (x - left) / (right - left) if right > left else 0.5
        up = (y - low) / (high - low)
        return LEFT + across * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - up * (
            HEIGHT - TOP - BOTTOM
        )

    parts = [_grid(low, high, log), _x_axis(left, right, x_name)]
    for index, points in enumerate(drawn.values()):
        parts.append(_line([place(x, y) for x, y in points], index % COLOURS))
    legend = _legend(list(drawn)) if len(drawn) > 1 else Html("")
    return _figure(title, joined(parts), legend)


def bars(title: str, names: Sequence[str], values: Sequence[float], note: str = "") -> Html:
    """A bar for each name, from 0."""
    top = max(values, default=0) or 1
    step = (WIDTH - LEFT - RIGHT) / max(1, len(values))
    parts = [_grid(0, top, False)]
    often = max(1, math.ceil(len(names) * max(map(len, names), default=1) / LETTERS))
    for index, (name, value) in enumerate(zip(names, values, strict=True)):
        tall = value / top * (HEIGHT - TOP - BOTTOM)
        x, y = LEFT + index * step, HEIGHT - BOTTOM - tall
        said = tag("title", f"{name}: {short(value)}")
        parts.append(
            tag("rect", said, x=f"{x + step * 0.1:.1f}", y=f"{y:.1f}", width=f"{step * 0.8:.1f}",
                height=f"{tall:.1f}", class_="f0")
        )  # fmt: skip
        if index % often == 0:
            parts.append(_text(x + step / 2, HEIGHT - 8, name, "middle"))
    return _figure(title, joined(parts), esc(note))


def stacked(title: str, parts: dict[str, float]) -> Html:
    """One bar of shares, and what each colour is."""
    total = sum(parts.values()) or 1
    at, drawn = 0.0, []
    for index, (name, value) in enumerate(parts.items()):
        wide = value / total * WIDTH
        said = tag("title", f"{name}: {value / total:.0%}")
        drawn.append(
            tag("rect", said, x=f"{at:.1f}", y=0, width=f"{wide:.1f}", height=24,
                class_=f"f{index % COLOURS}")
        )  # fmt: skip
        at += wide
    names = [f"{name} {value / total:.0%}" for name, value in parts.items()]
    return _figure(title, joined(drawn), _legend(names), height=24)


def thinned(points: Points) -> list[tuple[float, float]]:
    """At most `SHOWN` points, each the mean of those that lie together.

    >>> len(thinned([(x, 1.0) for x in range(10_000)]))
    240
    """
    count = len(points)
    if count <= SHOWN:
        return list(points)
    found = []
    for index in range(SHOWN):
        some = points[index * count // SHOWN : (index + 1) * count // SHOWN]
        found.append((sum(x for x, _ in some) / len(some), sum(y for _, y in some) / len(some)))
    return found


def _padded(values: list[float]) -> tuple[float, float]:
    """A range around the values that is not empty."""
    low, high = min(values), max(values)
    room = (high - low) * 0.05 or abs(high) * 0.1 or 1.0
    return low - room, high + room


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers from low to high, three to six of them."""
    rough = (high - low) / 5
    if not math.isfinite(rough) or rough <= 0:
        return []
    power = 10.0 ** math.floor(math.log10(rough))
    step = next((power * k for k in (1, 2, 5) if power * k >= rough), power * 10)
    first = math.ceil(low / step)
    return [step * k for k in range(first, math.floor(high / step) + 1)][:8]


def _grid(low: float, high: float, log: bool) -> Html:
    parts = []
    for value in _ticks(low, high):
        y = HEIGHT - BOTTOM - (value - low) / (high - low) * (HEIGHT - TOP - BOTTOM)
        parts.append(
            tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=f"{y:.1f}", y2=f"{y:.1f}", class_="grid")
        )
        name = short(10**value if log else round(value, 12))
        parts.append(_text(LEFT - 6, y + 4, name, "end"))
    return joined(parts)


def _x_axis(left: float, right: float, name: str) -> Html:
    said = [_text(LEFT, HEIGHT - 8, short(left), "start")]
    if right > left:
        said.append(_text(WIDTH - RIGHT, HEIGHT - 8, short(right), "end"))
    said.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, name, "middle"))
    return joined(said)


def _line(points: list[tuple[float, float]], colour: int) -> Html:
    if len(points) == 1:
        ((x, y),) = points
        return tag("circle", cx=f"{x:.1f}", cy=f"{y:.1f}", r=3, class_=f"f{colour}")
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return tag("polyline", points=path, class_=f"line s{colour}")


def _text(x: float, y: float, text: str, anchor: str) -> Html:
    return tag("text", text, x=f"{x:.1f}", y=f"{y:.1f}", text_anchor=anchor)


def _legend(names: list[str]) -> Html:
    keys = []
    for index, name in enumerate(names):
        spot = tag("rect", width=10, height=10, class_=f"f{index % COLOURS}")
        keys.append(tag("span", tag("svg", spot, viewBox="0 0 10 10", aria_hidden="true"), name,
                        class_="key"))  # fmt: skip
    return joined(keys)


def _figure(title: str, drawn: Html, below: Html, height: int = HEIGHT) -> Html:
    picture = tag("svg", drawn, viewBox=f"0 0 {WIDTH} {height}", role="img", aria_label=title)
    caption = tag("figcaption", tag("b", title), " ", below)
    return tag("figure", picture, caption)
