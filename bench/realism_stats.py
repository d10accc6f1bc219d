"""What tells a sensor's events from others: runs, times and steps, as samples and as numbers."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import evstore
from evstore import Events

Samples = dict[str, NDArray[np.int64]]

SAME_TIME, SAME_ROW = "events of one time", "events of one row"
BETWEEN, OF_PIXEL = "time between events", "interval of a pixel"
STEP_X, STEP_Y, POLARITY = "step in x", "step in y", "events of one polarity"
FEWEST = 50  # samples that are worth a distance
PRESETS = ("fast", "balanced")


def runs(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many equal values follow each other, each time."""
    ends = np.flatnonzero(np.diff(values) != 0)
    return np.diff(np.concatenate([[-1], ends, [values.size - 1]]))


def samples(events: Events) -> Samples:
    """Of each statistic what was seen, in the order of the events."""
    t, x, y, p = (np.asarray(getattr(events, name)).astype(np.int64) for name in "txyp")
    pixel = y << 16 | x
    order = np.argsort(pixel, kind="stable")
    same_pixel = np.diff(pixel[order]) == 0
    in_row = (np.diff(y) == 0) & (np.diff(t) == 0)
    return {
        SAME_TIME: runs(t),
        SAME_ROW: runs(y),
        BETWEEN: np.diff(t),
        OF_PIXEL: np.diff(t[order])[same_pixel],
        STEP_X: np.diff(x)[in_row],
        STEP_Y: np.diff(y)[~in_row],
        POLARITY: runs(p),
    }


def distance(a: NDArray[np.int64], b: NDArray[np.int64]) -> float | None:
    """Kolmogorov and Smirnov's: the most that the shares below any value differ by."""
    if min(a.size, b.size) < FEWEST:
        return None
    a, b = np.sort(a), np.sort(b)
    values = np.unique(np.concatenate([a, b]))
    below_a = np.searchsorted(a, values, side="right") / a.size
    below_b = np.searchsorted(b, values, side="right") / b.size
    return float(np.abs(below_a - below_b).max())


def numbers(events: Events, found: Samples) -> dict[str, float]:
    """The statistics as numbers; those of which there are no samples are left out."""
    out: dict[str, float] = {}

    def quantiles(name: str, *percents: int) -> None:
        if found[name].size:
            for percent, value in zip(percents, np.percentile(found[name], percents), strict=True):
                out[f"{name}: p{percent}"] = float(value)

    out["events/s"] = len(events) / max(int(events.t[-1] - events.t[0]), 1) * 1e6
    out["ON"] = float(np.mean(events.p))
    out[f"{SAME_TIME}: mean"] = float(found[SAME_TIME].mean())
    quantiles(SAME_TIME, 50, 90, 99)
    out[f"{SAME_ROW}: mean"] = float(found[SAME_ROW].mean())
    quantiles(SAME_ROW, 90)
    out[f"{SAME_ROW}: share"] = 1 - found[SAME_ROW].size / len(events)
    between = found[BETWEEN]
    for name, low, high in (("0", 0, 0), ("1", 1, 1), ("2-10", 2, 10), (">10", 11, None)):
        inside = (between >= low) & (between <= (between.max() if high is None else high))
        out[f"{BETWEEN}: {name}"] = float(inside.mean())
    for name in (OF_PIXEL, STEP_X, STEP_Y):
        quantiles(name, 10, 50, 90)
    for preset in PRESETS:
        out[f"bits an event: {preset}"] = bits(events, preset)
    return out


def bits(events: Events, preset: str) -> float:
    """Of a shard, for each event."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.evs"
        evstore.save(path, events, preset=preset)
        return path.stat().st_size * 8 / len(events)
