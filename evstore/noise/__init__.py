"""Noise: what makes clean recordings look like a real sensor's, and what takes it out again.

>>> from evstore.noise import BackgroundActivity, Compose, HotPixels          # doctest: +SKIP
>>> noisy = Compose(HotPixels(), BackgroundActivity(rate_hz=5), seed=1)(events)  # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evstore.noise.compose import Compose
    from evstore.noise.filters.flicker import AntiFlicker
    from evstore.noise.labels import LABELS
    from evstore.noise.measuring.hot import find_hot_pixels
    from evstore.noise.measuring.measure import measure
    from evstore.noise.measuring.measurement import Measurement
    from evstore.noise.transform import Transform

#: Where each public name lives; importing evstore.noise imports none of them.
_HOMES = {
    "AntiFlicker": "evstore.noise.filters.flicker",
    "Compose": "evstore.noise.compose",
    "LABELS": "evstore.noise.labels",
    "Measurement": "evstore.noise.measuring.measurement",
    "Transform": "evstore.noise.transform",
    "find_hot_pixels": "evstore.noise.measuring.hot",
    "measure": "evstore.noise.measuring.measure",
}

__all__ = [
    "LABELS",
    "AntiFlicker",
    "Compose",
    "Measurement",
    "Transform",
    "find_hot_pixels",
    "measure",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'evstore.noise' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
