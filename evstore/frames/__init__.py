"""Events to tensors: histograms, voxel grids, time surfaces."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evstore.frames.filler import Filler
    from evstore.frames.histogram import to_binary, to_frames, to_image
    from evstore.frames.spec import Frames
    from evstore.frames.time_surface import to_averaged_time_surface, to_time_surface
    from evstore.frames.voxel_grid import to_voxel_grid

_HOMES = {
    "Filler": "filler",
    "Frames": "spec",
    "to_averaged_time_surface": "time_surface",
    "to_binary": "histogram",
    "to_frames": "histogram",
    "to_image": "histogram",
    "to_time_surface": "time_surface",
    "to_voxel_grid": "voxel_grid",
}

__all__ = [
    "Filler",
    "Frames",
    "to_averaged_time_surface",
    "to_binary",
    "to_frames",
    "to_image",
    "to_time_surface",
    "to_voxel_grid",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'evstore.frames' has no attribute {name!r}")
    return getattr(import_module(f"evstore.frames.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
