"""The chart of `bench codecs`: size against decoding speed, a panel a sensor and one of medians."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from textwrap import wrap
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from bench.codecs_summary import Data, Row, measured, paced, points, sensor_family
from bench.labels import Box, Label, nearest, placed
from evstore.bench.frontier import edge

Point = Mapping[str, Any]
Range = tuple[float, float]

#: Colour (Okabe and Ito's, which colour-blind people tell apart) and mark of a family.
FAMILIES = {
    "evstore": ("#D55E00", "*"),
    "pcodec": ("#0072B2", "D"),
    "general compressor": ("#B5568F", "^"),
    "HDF5": ("#009E73", "v"),
    "columnar store": ("#B8860B", "p"),
    "EVT and DAT": ("#3A9BD9", "o"),
    "AEDAT4": ("#5A3E9B", "h"),
    ".es": ("#8C564B", "P"),
    "numpy": ("#222222", "s"),
}
OTHER = ("#777777", "o")
WIDTH, HEIGHT = 16.0, 9.0  # inches: a slide
TICKS_BITS = (6, 8, 10, 15, 20, 30, 40, 60, 80, 100, 150)
TICKS_SPEED = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
INK, GRID, EDGE = "#222222", "#E6E6E6", "#9A9A9A"
COLUMNS = 3  # of small panels, beside the large one
STYLE = {
    "svg.hashsalt": "evstore",
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.edgecolor": "#888888",
    "axes.linewidth": 0.8,
    "path.simplify": False,
}


def draw(data: Data, path: Path) -> None:
    """Write the chart as what the path's suffix says; the same rows give the same bytes."""
    with matplotlib.rc_context(STYLE):
        figure = chart(data)
        metadata: dict[str, Any] = {"Date": None} if path.suffix == ".svg" else {}
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=150, facecolor="white", metadata=metadata)


def chart(data: Data) -> Figure:
    """The large panel of medians at the left, one a sensor family at the right."""
    figure = Figure(figsize=(WIDTH, HEIGHT))
    FigureCanvasAgg(figure)  # which measures texts
    grid = figure.add_gridspec(
        3, 2 + 2, width_ratios=(1, 1, 0.78, 0.78), left=0.05, right=0.985, top=0.89, bottom=0.14,
        wspace=0.2, hspace=0.34,
    )  # fmt: skip
    large = figure.add_subplot(grid[:, :2])
    families = list(dict.fromkeys(sensor_family(data, name) for name in data["recordings"]))
    rows = paced(data)
    found = points(rows)
    everything = [(row["bits"], row["speed"]) for row in rows if row["speed"]]
    bits, speeds = _bounds(everything)
    _axes(large, bits, speeds, "medians over the recordings", large=True)
    figure.canvas.draw()
    _medians(large, found)
    for place, family in enumerate(families[:5]):
        small = figure.add_subplot(grid[place // 2, 2 + place % 2])
        _axes(small, bits, speeds, _family_title(data, family), large=False)
        _family(small, [r for r in rows if sensor_family(data, r["recording"]) == family])
    _legend(figure, found, grid)
    _words(figure, data)
    return figure


def _bounds(values: Sequence[tuple[float, float]]) -> tuple[Range, Range]:
    bits, speeds = zip(*values, strict=True)
    return (min(bits) * 0.62, max(bits) * 1.35), (min(speeds) * 0.62, max(speeds) * 1.6)


def _axes(axes: Axes, bits: Range, speeds: Range, title: str, large: bool) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(*bits)
    axes.set_ylim(*speeds)
    size = 10 if large else 7.5
    for axis, ticks in ((axes.xaxis, TICKS_BITS), (axes.yaxis, TICKS_SPEED)):
        axis.set_major_locator(FixedLocator(ticks))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.tick_params(labelsize=size, length=3, color="#888888", labelcolor=INK)
    axes.grid(True, color=GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.set_title(title, fontsize=11 if large else 8.5, loc="left", color=INK, pad=6)
    if large:
        axes.set_xlabel("bits an event, whole file  (less is better)", fontsize=11, color=INK)
        axes.set_ylabel("decoded, million events a second", fontsize=11, color=INK)


def _mark(axes: Axes, point: Point, size: float) -> None:
    color, mark = FAMILIES.get(point["family"], OTHER)
    if point["ours"]:
        size *= 2.6
    axes.scatter(
        [point["bits"]],
        [point["speed"]],
        s=size,
        marker=mark,
        facecolor=color if point["right"] else "none",
        edgecolor=color if not point["right"] else "white",
        linewidth=1.2 if not point["right"] else 0.6,
        zorder=5 if point["ours"] else 4,
    )


def _best(found: Sequence[Point]) -> list[Point]:
    """Those that none is both smaller and faster than."""
    right = [point for point in found if point["right"]]
    return [right[i] for i in edge([(point["bits"], point["speed"]) for point in right])]


def _frontier(axes: Axes, found: Sequence[Point]) -> list[tuple[float, float]]:
    """A step line through the best of them; its corners."""
    best = _best(found)
    if not best:
        return []
    low, high = axes.get_ylim()[0], axes.get_xlim()[1]
    corners = [(best[0]["bits"], low)]
    for one, after in zip(best, [*best[1:], None], strict=True):
        corners += [(one["bits"], one["speed"]), (after["bits"] if after else high, one["speed"])]
    xs, ys = zip(*corners, strict=True)
    axes.plot(xs, ys, color=EDGE, linewidth=1.3, zorder=2)
    axes.fill_between(xs, ys, low, color="#F4F4F4", zorder=0.5, linewidth=0)
    return corners


def _medians(axes: Axes, found: Sequence[Point]) -> None:
    corners = axes.transData.transform(_frontier(axes, found))
    steps = [(*one, *after) for one, after in pairwise(corners)]
    best = {point["name"] for point in _best(found)}
    for point in found:
        _mark(axes, point, 62)
    order = sorted(found, key=lambda p: (not p["ours"], p["name"] not in best, p["bits"]))
    texts = [_text(point, axes, point["name"] in best) for point in order]
    frame = axes.get_window_extent()
    labels, marks = [], []
    for point, text in zip(order, texts, strict=True):
        x, y = axes.transData.transform((point["bits"], point["speed"]))
        extent = text.get_window_extent()
        labels.append(Label(x, y, extent.width, extent.height))
        half = 9 if point["ours"] else 6.5
        marks.append(Box(x - half, y - half, x + half, y + half))
    inside = Box(frame.x0 + 2, frame.y0 + 2, frame.x1 - 2, frame.y1 - 2)
    boxes = placed(labels, inside, marks, steps)
    for label, text, box in zip(labels, texts, boxes, strict=True):
        _put(axes, text, label, box)


def _text(point: Point, axes: Axes, best: bool) -> Any:
    words = point["name"]
    if not point["right"]:
        words += " (wrong)"
    elif point["count"] < point["of"]:
        words += f" ({point['count']} of {point['of']})"
    size = 12 if point["ours"] else 8.5 if best else 7.5
    weight = "bold" if point["ours"] or best else "normal"
    color, _ = FAMILIES.get(point["family"], OTHER)
    return axes.text(0, 0, words, fontsize=size, weight=weight, color=color, zorder=6)


def _put(axes: Axes, text: Any, label: Label, box: Box | None) -> None:
    if box is None:
        text.set_visible(False)
        return
    to_data = axes.transData.inverted()
    text.set_position(to_data.transform((box.left, box.low)))
    text.set_verticalalignment("bottom")
    text.set_horizontalalignment("left")
    (x, y), (to_x, to_y) = to_data.transform([(label.x, label.y), nearest(box, label.x, label.y)])
    axes.plot([x, to_x], [y, to_y], color="#AAAAAA", linewidth=0.6, zorder=3)


def _family_title(data: Data, family: str) -> str:
    names = [name for name in data["recordings"] if sensor_family(data, name) == family]
    return f"{family}: {len(names)} recording{'s' if len(names) != 1 else ''}"


def _family(axes: Axes, rows: Sequence[Row]) -> None:
    """A small dot a row, a large one for the median; the frontier is of the medians."""
    for row in [*measured(rows), *measured(rows, "wrong")]:
        color, _ = FAMILIES.get(row["family"], OTHER)
        axes.scatter(
            [row["bits"]], [row["speed"]], s=5, color=color, alpha=0.4, linewidth=0, zorder=3
        )
    found = points(rows)
    _frontier(axes, found)
    for point in found:
        _mark(axes, point, 26)
    _name_ours(axes, found)


def _name_ours(axes: Axes, found: Sequence[Point]) -> None:
    for point in found:
        if point["ours"]:
            color, _ = FAMILIES["evstore"]
            axes.annotate(
                point["name"].removeprefix("evstore, "),
                (point["bits"], point["speed"]),
                textcoords="offset points",
                xytext=(-5, 6),
                ha="right",
                fontsize=8,
                weight="bold",
                color=color,
                zorder=6,
            )


def _legend(figure: Figure, found: Sequence[Point], grid: Any) -> None:
    there = [family for family in FAMILIES if any(p["family"] == family for p in found)]
    there += sorted({p["family"] for p in found} - set(FAMILIES))
    handles = []
    for family in there:
        color, mark = FAMILIES.get(family, OTHER)
        handles.append(_handle(family, mark, color, 13 if family == "evstore" else 8))
    handles.append(Line2D([], [], color=EDGE, linewidth=1.3, label="none is smaller and faster"))
    handles.append(_handle("small dot: a recording", "o", "#777777", 3))
    wrong = Line2D(
        [], [], marker="o", linestyle="", markerfacecolor="none", color="#3A9BD9", markersize=8,
        label="hollow: gives other events back",
    )  # fmt: skip
    handles.append(wrong)
    axes = figure.add_subplot(grid[2, 3])
    axes.axis("off")
    axes.legend(handles=handles, loc="upper left", frameon=False, fontsize=8.5, labelspacing=0.45)


def _handle(label: str, mark: str, color: str, size: float) -> Line2D:
    return Line2D(
        [], [], marker=mark, linestyle="", color=color, markersize=size, label=label,
        markeredgecolor="white", markeredgewidth=0.5,
    )  # fmt: skip


def _words(figure: Figure, data: Data) -> None:
    about = data["about"]
    machine, versions = about["machine"], about["versions"]
    count = len(data["recordings"])
    title = f"Size against decoding speed: {count} event-camera recordings"
    figure.text(0.05, 0.945, title, fontsize=17, weight="bold", color=INK)
    quick = "  A QUICK RUN, NO MEASUREMENT." if about.get("quick") else ""
    lines = [
        f"Sizes: whole files of the recordings as they are. Speeds: into fresh arrays, one "
        f"processor, from the page cache, on the recordings tiled to {about['events']:,} events "
        f"(general compressors: as they are), as ratios against pcodec timed in turns, times "
        f"pcodec's median speed.{quick}",
        f"{machine['processor']}, {machine['memory']}, {machine['system']}. "
        + ", ".join(f"{name} {found}" for name, found in versions.items()),
    ]
    for place, words in enumerate(part for line in lines for part in wrap(line, 260)):
        figure.text(0.05, 0.066 - 0.0165 * place, words, fontsize=7, color="#555555")
