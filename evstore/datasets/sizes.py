"""How many bytes samples have when they are delivered: what bounds prefetching."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from evstore.datasets.catalogue import Catalogue
from evstore.datasets.delivery import Delivery
from evstore.datasets.windows import Plan
from evstore.frames import Frames

if TYPE_CHECKING:
    from evstore.noise.transform import Transform

Numbers = NDArray[np.int64]

#: Of the mean rate of a recording, which windows of it are taken to have at most. Of long
#: recordings all events would be so many that nothing could be read ahead.
BURST = 8
MOST = float(1 << 48)  # events that noise is taken to make: no sum of them leaves an int64


def sample_bytes(
    catalogue: Catalogue, recordings: Numbers, plan: Plan | None, how: Delivery
) -> Numbers:
    """Bytes of each sample, at most, from the index alone; of windows by time an estimate.

    These are taken to have up to BURST times the mean rate of their recording; noise, a
    quarter more events than it makes on the mean, and four standard deviations of Poisson noise.
    """
    events: Numbers = catalogue.events[recordings]
    first, last = catalogue.t_min[recordings], catalogue.t_max[recordings]
    span = last.astype(float) - first.astype(float) + 1.0
    seconds = span / 1e6  # in which noise comes
    if plan is not None and not plan.by_time:
        whole, events = events, plan.stop - plan.start
        seconds = seconds * np.minimum(1.0, BURST * events / whole)
    elif plan is not None:
        whole, span = np.maximum(span, 1.0), plan.stop.astype(float) - plan.start.astype(float)
        events = np.ceil(events * np.minimum(1.0, BURST * span / whole)).astype(np.int64)
        seconds = span / 1e6
    if how.changes.noise is not None:
        events = events + _made(catalogue, recordings, seconds, how.changes.noise)
    if how.frames is None:
        return events * how.event_bytes
    frames = _how_many(how.frames, span, events)
    width, height = catalogue.resolution[recordings].T
    pixels = width * height if how.geometry.is_identity else _pixels(how, width, height)
    channels, itemsize = how.frames.shape((65536, 65536), 1)[1], np.dtype(how.frames.dtype).itemsize
    return frames * pixels * channels * itemsize


def _made(
    catalogue: Catalogue, recordings: Numbers, seconds: NDArray[np.float64], noise: Transform
) -> Numbers:
    """How many events noise makes in so many seconds of each recording, at most, nearly always."""
    from evstore.noise.batch import Sensor

    sizes, which = np.unique(catalogue.resolution[recordings], axis=0, return_inverse=True)
    hz = [noise.expected_hz(Sensor(*size)) if min(size) else 0.0 for size in sizes.tolist()]
    mean = np.array(hz, float)[which.reshape(-1)] * seconds
    found: Numbers = np.minimum(np.ceil(1.25 * mean + 4.0 * np.sqrt(mean)), MOST).astype(np.int64)
    return found


def _pixels(how: Delivery, width: Numbers, height: Numbers) -> Numbers:
    place = how.geometry
    if place.size is not None:
        return np.full(len(width), place.size[0] * place.size[1])
    if place.crop is not None:
        x0, y0, x1, y1 = place.crop
        return np.full(len(width), (x1 - x0) * (y1 - y0))
    return width * height


def _how_many(spec: Frames, span: NDArray[np.float64], events: Numbers) -> Numbers:
    fixed = spec.bins or spec.event_bins
    if fixed is not None:
        return np.full(len(span), fixed)
    length = spec.duration or spec.count or 1
    units = span if spec.duration is not None else events.astype(float)
    steps = np.ceil(units / (spec.stride or length)) + 1
    found: Numbers = np.clip(steps, 1, 1 << 24).astype(np.int64)
    return found
