"""The pixels that flicker, and how much."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from evstore.noise.measuring.background import Background
from evstore.noise.measuring.measurement import Flickering
from evstore.noise.measuring.series import Series
from evstore.noise.measuring.slices import Slices
from evstore.noise.measuring.spectrum import Lines

QUIETER = 0.25  # of the slices
PIXELS = 4096  # that stand for all
PART = 0.5  # of what the area's pixels have: one that has less flickers not, or for a part of it


def flickering(
    lines: Lines, series: Series, slices: Slices, duration_us: int, is_hot: NDArray[np.bool_],
    around: Background | None = None,
) -> tuple[Flickering | None, NDArray[np.bool_]]:  # fmt: skip
    """The flicker, and by pixel where it may be: the blocks that show it.

    A pixel's rate of flicker is that of its quieter slices, beyond that of the pixels elsewhere,
    or, where there are none, of the background ``around``, once it is known; where these are empty,
    what all blocks have of the line itself, by the pixels of the blocks.
    """
    sensor = slices.sensor
    if lines.frequency_hz is None or not lines.blocks.any():
        return None, np.zeros(sensor.pixels, np.bool_)
    near = series.pixels_of(lines.blocks)
    on, off = slices.counts(duration_us)
    length_s = min(slices.slice_us, duration_us) / 1e6
    rates = np.quantile(on + off, QUIETER, axis=0) / length_s
    inside = near & ~is_hot
    outside = ~near & ~series.pixels_of(lines.others) & ~is_hot
    if not inside.any():
        return None, near
    # Most of a block that shows it may lie beside it: those that flicker are the upper ones.
    upper = float(np.quantile(rates[inside], 0.9))
    beside = 0.0
    if outside.any():
        beside = float(np.median(rates[outside]))
    elif around is not None:
        beside = _quieter_hz(around, length_s, on.shape[0])
    area = inside & (rates - beside >= PART * (upper - beside))
    if not area.any():
        area = inside
    area = near & _filled(area.reshape(sensor.height, sensor.width)).ravel()
    strength = max(float(np.median(rates[area & inside])) - beside, 0.0)
    coherent = lines.coherent * lines.frequency_hz / int(area.sum())
    strength = max(strength, coherent)
    events = float(on.sum() + off.sum())
    of_flicker = strength * int(area.sum()) * length_s * on.shape[0]
    return Flickering(
        frequency_hz=lines.frequency_hz,
        events_per_cycle=strength / lines.frequency_hz / 2,
        share=min(of_flicker / events, 1.0) if events else 0.0,
        area=area.reshape(sensor.height, sensor.width),
    ), near


def _quieter_hz(around: Background, length_s: float, slices: int) -> float:
    """The rate of a background's quieter slices, of the median pixel.

    Slices are as Poisson's law has it, of which the median pixel's rate is the mean. That of a
    log-normal law is below its mean.
    """
    middle = around.rate_hz * math.exp(-((around.spread_decades * math.log(10)) ** 2) / 2)
    law = np.random.default_rng(0).poisson(middle * length_s, (slices, PIXELS))
    return float(np.quantile(law, QUIETER, axis=0).mean() / length_s)


def _filled(area: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """With the pixels of which half of the 24 around are of the area: a straight edge stays.

    Hot pixels among them: those that lie elsewhere only seem to flicker, as often as they fire.
    """
    padded = np.pad(area, 2).astype(np.int64)
    around = sum(
        padded[v : v + area.shape[0], u : u + area.shape[1]] for v in range(5) for u in range(5)
    )
    found: NDArray[np.bool_] = area | (around >= 12)
    return found
