"""Noise: what makes clean recordings look like a real sensor's, and what takes it out again.

>>> from evstore.noise import BackgroundActivity, Compose, HotPixels          # doctest: +SKIP
>>> noisy = Compose(HotPixels(), BackgroundActivity(rate_hz=5), seed=1)(events)  # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evstore.noise.compose import Compose
    from evstore.noise.labels import LABELS
    from evstore.noise.sources.background import BackgroundActivity
    from evstore.noise.sources.flicker import Flicker
    from evstore.noise.sources.hot_pixels import HotPixels
    from evstore.noise.sources.leak import Leak
    from evstore.noise.transform import Transform

#: Where each public name lives; importing evstore.noise imports none of them.
_HOMES = {
    "BackgroundActivity": "evstore.noise.sources.background",
    "Compose": "evstore.noise.compose",
    "Flicker": "evstore.noise.sources.flicker",
    "HotPixels": "evstore.noise.sources.hot_pixels",
    "LABELS": "evstore.noise.labels",
    "Leak": "evstore.noise.sources.leak",
    "Transform": "evstore.noise.transform",
}

__all__ = [
    "LABELS",
    "BackgroundActivity",
    "Compose",
    "Flicker",
    "HotPixels",
    "Leak",
    "Transform",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'evstore.noise' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
