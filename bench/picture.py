"""Size against speed as an SVG, written by hand: both axes logarithmic."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping
from typing import Any
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 760, 460
LEFT, RIGHT, TOP, BOTTOM = 64, 190, 24, 56
BITS = (8.0, 160.0)  # of the axes, widened where a point lies outside
SPEED = (0.02, 2.0)
OURS = "#c2410c"
PEERS = (
    "#1d4ed8",
    "#0f766e",
    "#7c3aed",
    "#4d7c0f",
    "#be185d",
    "#0369a1",
    "#a16207",
    "#475569",
    "#111827",
)
TICKS = (1, 2, 5)
LINE = 15  # between labels

Point = tuple[float, float]


def medians(chart: Mapping[str, Any]) -> dict[str, tuple[Point, list[Point]]]:
    """Of each contender the median over the recordings, and every recording's point."""
    points: dict[str, list[Point]] = {}
    for contenders in chart.values():
        for name, found in contenders.items():
            if "bits" in found:
                points.setdefault(name, []).append((found["bits"], found["speed"]))
    return {
        name: ((statistics.median(b for b, _ in all_), statistics.median(s for _, s in all_)), all_)
        for name, all_ in points.items()
    }


class Axes:
    """From bits an event and speed to places in the picture; smaller and faster is up and left."""

    def __init__(self, points: list[Point]) -> None:
        self.bits = _range(BITS, [bits for bits, _ in points])
        self.speed = _range(SPEED, [speed for _, speed in points])

    def place(self, point: Point) -> Point:
        x = LEFT + (WIDTH - LEFT - RIGHT) * _part(point[0], self.bits)
        y = HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * _part(point[1], self.speed)
        return round(x, 1), round(y, 1)


def _range(least: tuple[float, float], values: list[float]) -> tuple[float, float]:
    return min([least[0], *(v * 0.9 for v in values)]), max([least[1], *(v * 1.1 for v in values)])


def _part(value: float, bounds: tuple[float, float]) -> float:
    low, high = bounds
    return math.log(value / low) / math.log(high / low)


def _ticks(bounds: tuple[float, float]) -> Iterator[float]:
    for power in range(-4, 5):
        for digit in TICKS:
            value = digit * 10.0**power
            if bounds[0] <= value <= bounds[1]:
                yield value


def picture(chart: Mapping[str, Any], caption: str) -> str:
    """The whole SVG."""
    found = medians(chart)
    found["numpy packed records"] = ((104.0, 1.0), [])
    axes = Axes([p for middle, all_ in found.values() for p in (middle, *all_)])
    parts = [*_grid(axes), *_dots(found, axes), *_labels(found, axes)]
    parts.append(_text(LEFT, HEIGHT - 8, caption, size=10, color="#666"))
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif" role="img">\n'
        "<title>Size against decoding speed</title>\n"
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>\n'
    )
    return head + "\n".join(parts) + "\n</svg>\n"


def _grid(axes: Axes) -> Iterator[str]:
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    for bits in _ticks(axes.bits):
        x, _ = axes.place((bits, axes.speed[0]))
        yield f'<path d="M{x} {TOP}V{bottom}" stroke="#e5e5e5"/>'
        yield _text(x, bottom + 16, f"{bits:g}", anchor="middle")
    for speed in _ticks(axes.speed):
        _, y = axes.place((axes.bits[0], speed))
        color = "#999" if speed == 1 else "#e5e5e5"
        yield f'<path d="M{LEFT} {y}H{right}" stroke="{color}"/>'
        yield _text(LEFT - 6, y + 4, f"{speed:g}x", anchor="end")
    yield _text((LEFT + right) / 2, bottom + 32, "bits an event (less is better)", anchor="middle")
    middle = (TOP + bottom) / 2
    yield (
        f'<text transform="translate(14 {middle}) rotate(-90)" text-anchor="middle" '
        'font-size="11">speed of decoding, np.fromfile of 13-byte records = 1</text>'
    )


def _color(name: str, names: list[str]) -> str:
    if name.startswith("evstore"):
        return OURS
    return PEERS[names.index(name) % len(PEERS)]


def _dots(found: Mapping[str, tuple[Point, list[Point]]], axes: Axes) -> Iterator[str]:
    names = sorted(name for name in found if not name.startswith("evstore"))
    for name, (middle, all_) in found.items():
        color = _color(name, names)
        for point in all_:
            x, y = axes.place(point)
            yield f'<circle cx="{x}" cy="{y}" r="2.5" fill="{color}" fill-opacity="0.45"/>'
        x, y = axes.place(middle)
        title = f"<title>{escape(name)}</title>"
        yield f'<circle cx="{x}" cy="{y}" r="7" fill="{color}">{title}</circle>'


def _labels(found: Mapping[str, tuple[Point, list[Point]]], axes: Axes) -> Iterator[str]:
    """Names in a column at the right, each as near its dot's height as those above leave room."""
    names = sorted(name for name in found if not name.startswith("evstore"))
    places = sorted((axes.place(middle)[1], name) for name, (middle, _) in found.items())
    lowest = HEIGHT - BOTTOM - LINE * (len(places) - 1)
    y = float(TOP)
    for place, name in places:
        y = min(max(y, place), lowest)
        lowest += LINE
        x, dot = axes.place(found[name][0])
        edge = WIDTH - RIGHT + 8
        color = _color(name, names)
        yield (
            f'<path d="M{x + 7} {dot}L{edge} {round(y, 1)}" stroke="{color}" '
            'stroke-opacity="0.35" fill="none"/>'
        )
        weight = "bold" if name.startswith("evstore") else "normal"
        yield _text(edge + 4, y + 4, name, color=color, weight=weight)
        y += LINE


def _text(
    x: float,
    y: float,
    words: str,
    *,
    anchor: str = "start",
    size: int = 11,
    color: str = "#222",
    weight: str = "normal",
) -> str:
    return (
        f'<text x="{round(x, 1)}" y="{round(y, 1)}" text-anchor="{anchor}" font-size="{size}" '
        f'fill="{color}" font-weight="{weight}">{escape(words)}</text>'
    )
