"""Noise: what makes clean recordings look like a real sensor's, and what takes it out again.

>>> from evstore.noise import BackgroundActivity, Compose, HotPixels          # doctest: +SKIP
>>> noisy = Compose(HotPixels(), BackgroundActivity(rate_hz=5), seed=1)(events)  # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evstore.noise.compose import Compose
    from evstore.noise.filters.activity import ActivityFilter
    from evstore.noise.filters.decimation import Decimation
    from evstore.noise.filters.hot_pixel_mask import HotPixelMask
    from evstore.noise.filters.pixel_rate_limit import PixelRateLimit
    from evstore.noise.filters.rate_limit import RateLimit
    from evstore.noise.filters.refractory import Refractory
    from evstore.noise.filters.stcf import Stcf, stcf_scores
    from evstore.noise.labels import LABELS
    from evstore.noise.sources.background import BackgroundActivity
    from evstore.noise.sources.flicker import Flicker
    from evstore.noise.sources.hot_pixels import HotPixels
    from evstore.noise.sources.leak import Leak
    from evstore.noise.transform import Transform

#: Where each public name lives; importing evstore.noise imports none of them.
_HOMES = {
    "ActivityFilter": "evstore.noise.filters.activity",
    "BackgroundActivity": "evstore.noise.sources.background",
    "Compose": "evstore.noise.compose",
    "Decimation": "evstore.noise.filters.decimation",
    "Flicker": "evstore.noise.sources.flicker",
    "HotPixelMask": "evstore.noise.filters.hot_pixel_mask",
    "HotPixels": "evstore.noise.sources.hot_pixels",
    "LABELS": "evstore.noise.labels",
    "Leak": "evstore.noise.sources.leak",
    "PixelRateLimit": "evstore.noise.filters.pixel_rate_limit",
    "RateLimit": "evstore.noise.filters.rate_limit",
    "Refractory": "evstore.noise.filters.refractory",
    "Stcf": "evstore.noise.filters.stcf",
    "Transform": "evstore.noise.transform",
    "stcf_scores": "evstore.noise.filters.stcf",
}

__all__ = [
    "LABELS",
    "ActivityFilter",
    "BackgroundActivity",
    "Compose",
    "Decimation",
    "Flicker",
    "HotPixelMask",
    "HotPixels",
    "Leak",
    "PixelRateLimit",
    "RateLimit",
    "Refractory",
    "Stcf",
    "Transform",
    "stcf_scores",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'evstore.noise' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
