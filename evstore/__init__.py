"""Event-camera recordings as compact, checked, randomly accessible shards.

>>> import evstore
>>> with evstore.open("drive.evs") as rec:                    # doctest: +SKIP
...     events = rec.between(1_000_000, 1_010_000)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evstore.conversion import convert
    from evstore.datasets.dataset import Dataset
    from evstore.datasets.geometry import Geometry
    from evstore.datasets.loading.collate import pad_collate
    from evstore.datasets.loading.loader import Loader
    from evstore.datasets.packing.pack import pack
    from evstore.datasets.windows import Windows
    from evstore.digests import digest
    from evstore.errors import (
        ArgumentError,
        CorruptError,
        EvstoreError,
        FormatError,
        MissingDependencyError,
        TruncatedError,
        UnsupportedError,
    )
    from evstore.events import Events
    from evstore.frames import Frames, to_frames
    from evstore.recording.base import Recording
    from evstore.recording.opening import open, open_all
    from evstore.recording.saving import Output, create, save
    from evstore.recovery import recover
    from evstore.shard.follow import follow
    from evstore.shard.verify import verify_shard as verify
    from evstore.synth import simulate

__version__ = "0.1.0"

#: Where each public name lives. Importing evstore imports none of them: `evstore --help` and
#: `evstore info` start without numpy and numba.
_HOMES = {
    "ArgumentError": "evstore.errors",
    "CorruptError": "evstore.errors",
    "Dataset": "evstore.datasets.dataset",
    "Events": "evstore.events",
    "EvstoreError": "evstore.errors",
    "FormatError": "evstore.errors",
    "Frames": "evstore.frames",
    "Geometry": "evstore.datasets.geometry",
    "Loader": "evstore.datasets.loading.loader",
    "MissingDependencyError": "evstore.errors",
    "Output": "evstore.recording.saving",
    "Recording": "evstore.recording.base",
    "TruncatedError": "evstore.errors",
    "UnsupportedError": "evstore.errors",
    "Windows": "evstore.datasets.windows",
    "convert": "evstore.conversion",
    "create": "evstore.recording.saving",
    "digest": "evstore.digests",
    "follow": "evstore.shard.follow",
    "open": "evstore.recording.opening",
    "open_all": "evstore.recording.opening",
    "pack": "evstore.datasets.packing.pack",
    "pad_collate": "evstore.datasets.loading.collate",
    "recover": "evstore.recovery",
    "save": "evstore.recording.saving",
    "simulate": "evstore.synth",
    "to_frames": "evstore.frames",
    "verify": "evstore.shard.verify:verify_shard",
}

__all__ = [
    "ArgumentError",
    "CorruptError",
    "Dataset",
    "Events",
    "EvstoreError",
    "FormatError",
    "Frames",
    "Geometry",
    "Loader",
    "MissingDependencyError",
    "Output",
    "Recording",
    "TruncatedError",
    "UnsupportedError",
    "Windows",
    "__version__",
    "convert",
    "create",
    "digest",
    "follow",
    "open",
    "open_all",
    "pack",
    "pad_collate",
    "recover",
    "save",
    "simulate",
    "to_frames",
    "verify",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'evstore' has no attribute {name!r}")
    module, _, attribute = _HOMES[name].partition(":")
    return getattr(import_module(module), attribute or name)


def __dir__() -> list[str]:
    return __all__
