"""Noise: what makes clean recordings look like a real sensor's, and what takes it out again.

>>> from evstore.noise import BackgroundActivity, Compose, HotPixels          # doctest: +SKIP
>>> noisy = Compose(HotPixels(), BackgroundActivity(rate_hz=5), seed=1)(events)  # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evstore.noise.changes.bandwidth_limit import BandwidthLimit
    from evstore.noise.changes.event_drop import EventDrop
    from evstore.noise.changes.missing_rows import MissingRows
    from evstore.noise.changes.pixel_drop import PixelDrop
    from evstore.noise.changes.polarity_flip import PolarityFlip
    from evstore.noise.changes.spatial_jitter import SpatialJitter
    from evstore.noise.changes.time_jitter import TimeJitter
    from evstore.noise.changes.timestamp_quantise import TimestampQuantise
    from evstore.noise.compose import Compose
    from evstore.noise.filters.activity import ActivityFilter
    from evstore.noise.filters.decimation import Decimation
    from evstore.noise.filters.flicker import AntiFlicker
    from evstore.noise.filters.hot_pixel_mask import HotPixelMask
    from evstore.noise.filters.pixel_rate_limit import PixelRateLimit
    from evstore.noise.filters.rate_limit import RateLimit
    from evstore.noise.filters.refractory import Refractory
    from evstore.noise.filters.stcf import Stcf, stcf_scores
    from evstore.noise.labels import LABELS
    from evstore.noise.masks import mask_from_metadata, mask_to_metadata
    from evstore.noise.measuring.finding import find_hot_pixels
    from evstore.noise.measuring.measure import measure
    from evstore.noise.measuring.measurement import Measurement
    from evstore.noise.recorded import RecordedNoise
    from evstore.noise.sources.background import BackgroundActivity
    from evstore.noise.sources.flicker import Flicker
    from evstore.noise.sources.hot_pixels import HotPixels
    from evstore.noise.sources.leak import Leak
    from evstore.noise.transform import Transform

#: Where each public name lives; importing evstore.noise imports none of them.
_HOMES = {
    "ActivityFilter": "evstore.noise.filters.activity",
    "AntiFlicker": "evstore.noise.filters.flicker",
    "BackgroundActivity": "evstore.noise.sources.background",
    "BandwidthLimit": "evstore.noise.changes.bandwidth_limit",
    "Compose": "evstore.noise.compose",
    "Decimation": "evstore.noise.filters.decimation",
    "EventDrop": "evstore.noise.changes.event_drop",
    "Flicker": "evstore.noise.sources.flicker",
    "HotPixelMask": "evstore.noise.filters.hot_pixel_mask",
    "HotPixels": "evstore.noise.sources.hot_pixels",
    "LABELS": "evstore.noise.labels",
    "Leak": "evstore.noise.sources.leak",
    "Measurement": "evstore.noise.measuring.measurement",
    "MissingRows": "evstore.noise.changes.missing_rows",
    "PixelDrop": "evstore.noise.changes.pixel_drop",
    "PixelRateLimit": "evstore.noise.filters.pixel_rate_limit",
    "PolarityFlip": "evstore.noise.changes.polarity_flip",
    "RateLimit": "evstore.noise.filters.rate_limit",
    "RecordedNoise": "evstore.noise.recorded",
    "Refractory": "evstore.noise.filters.refractory",
    "SpatialJitter": "evstore.noise.changes.spatial_jitter",
    "Stcf": "evstore.noise.filters.stcf",
    "TimeJitter": "evstore.noise.changes.time_jitter",
    "TimestampQuantise": "evstore.noise.changes.timestamp_quantise",
    "Transform": "evstore.noise.transform",
    "find_hot_pixels": "evstore.noise.measuring.finding",
    "mask_from_metadata": "evstore.noise.masks",
    "mask_to_metadata": "evstore.noise.masks",
    "measure": "evstore.noise.measuring.measure",
    "stcf_scores": "evstore.noise.filters.stcf",
}

__all__ = [
    "LABELS",
    "ActivityFilter",
    "AntiFlicker",
    "BackgroundActivity",
    "BandwidthLimit",
    "Compose",
    "Decimation",
    "EventDrop",
    "Flicker",
    "HotPixelMask",
    "HotPixels",
    "Leak",
    "Measurement",
    "MissingRows",
    "PixelDrop",
    "PixelRateLimit",
    "PolarityFlip",
    "RateLimit",
    "RecordedNoise",
    "Refractory",
    "SpatialJitter",
    "Stcf",
    "TimeJitter",
    "TimestampQuantise",
    "Transform",
    "find_hot_pixels",
    "mask_from_metadata",
    "mask_to_metadata",
    "measure",
    "stcf_scores",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'evstore.noise' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
