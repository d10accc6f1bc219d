"""How the events of many samples are divided: `Frames.division` of each, by arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evstore.frames.spec import MAX_FRAMES, Frames

#: Times and lengths below these: no sum of them leaves an int64, whatever the number of frames.
EARLY, SHORT = 1 << 60, 1 << 36


def divisions(
    spec: Frames,
    t_min: NDArray[np.int64],
    t_max: NDArray[np.int64],
    n_events: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Of each sample the numbers of `Division`, a row each: int64, (samples, 4).

    An int64 for each sample: the least and the greatest time of its events, and how many they
    are. Raises as `Frames.division` does.

    >>> divisions(Frames(duration=10), *np.array([[0, 5], [30, 8], [7, 2]])).tolist()
    [[0, 10, 10, 3], [5, 10, 10, 1]]
    """
    if _is_simple(spec, t_min, t_max):
        rows = _by_time(spec, t_min, t_max) if spec.by_time else _by_number(spec, n_events)
        if rows[:, 3].max(initial=0) <= MAX_FRAMES:
            return rows
    samples = zip(t_min.tolist(), t_max.tolist(), n_events.tolist(), strict=True)
    made = [spec.division(least, most + 1, count) for least, most, count in samples]
    return np.array(made, np.int64).reshape(-1, 4)


def _is_simple(spec: Frames, t_min: NDArray[np.int64], t_max: NDArray[np.int64]) -> bool:
    said = [value or 0 for value in (spec.start, spec.stop)]
    least = min(t_min.min(initial=0), *said)
    most = max(t_max.max(initial=0), *said)
    lengths = [value or 0 for value in (spec.duration, spec.count, spec.stride)]
    return bool(least > -EARLY and most < EARLY and max(lengths) < SHORT)


def _by_time(spec: Frames, t_min: NDArray[np.int64], t_max: NDArray[np.int64]) -> NDArray[np.int64]:
    rows = np.empty((t_min.size, 4), np.int64)
    rows[:, 0] = t_min if spec.start is None else spec.start
    end: NDArray[np.int64] | int = t_max if spec.stop is None else spec.stop
    if spec.stop is None and spec.bins is None and spec.partial:
        end = t_max + 1
    span = end - rows[:, 0]
    if spec.bins is not None:
        rows[:, 1:3] = np.maximum(1, span // spec.bins)[:, None]
        rows[:, 3] = spec.bins
    else:
        assert spec.duration is not None
        rows[:, 1], rows[:, 2] = spec.duration, spec.stride or spec.duration
        rows[:, 3] = _how_many(spec, span, rows[:, 1], rows[:, 2])
    return rows


def _by_number(spec: Frames, n_events: NDArray[np.int64]) -> NDArray[np.int64]:
    rows = np.zeros((n_events.size, 4), np.int64)
    if spec.event_bins is not None:
        rows[:, 1:3] = np.maximum(1, n_events // spec.event_bins)[:, None]
        rows[:, 3] = spec.event_bins
    else:
        assert spec.count is not None
        rows[:, 1] = np.minimum(spec.count, np.maximum(1, n_events))
        rows[:, 2] = spec.stride or spec.count
        rows[:, 3] = _how_many(spec, n_events, rows[:, 1], rows[:, 2])
    return rows


def _how_many(
    spec: Frames, span: NDArray[np.int64], length: NDArray[np.int64], stride: NDArray[np.int64]
) -> NDArray[np.int64]:
    made: NDArray[np.int64] = (span - length) // stride + 1
    if spec.partial:
        made = np.minimum(-((length - span) // stride) + 1, -(-span // stride))
    return np.maximum(made, 1)
