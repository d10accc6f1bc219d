"""Many recordings: shards and their manifest, windows, order, loaders, known layouts.

>>> import evstore.datasets
>>> evstore.datasets.DVSGesture.sensor_size
(128, 128, 2)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from evstore.shard.address import MANIFEST as MANIFEST

if TYPE_CHECKING:
    from evstore.datasets.groups import Group
    from evstore.datasets.labels import Boxes, Intervals
    from evstore.datasets.named import (
        CIFAR10DVS,
        DSEC,
        NCALTECH101,
        NCARS,
        NMNIST,
        DVSGesture,
        PropheseeDetection,
    )

__all__ = [
    "CIFAR10DVS",
    "DSEC",
    "NCALTECH101",
    "NCARS",
    "NMNIST",
    "Boxes",
    "DVSGesture",
    "Group",
    "Intervals",
    "PropheseeDetection",
]

#: Where names live that are no dataset's.
_HOMES = {"Boxes": "labels", "Group": "groups", "Intervals": "labels"}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'evstore.datasets' has no attribute {name!r}")
    return getattr(import_module(f"evstore.datasets.{_HOMES.get(name, 'named')}"), name)


def __dir__() -> list[str]:
    return __all__
