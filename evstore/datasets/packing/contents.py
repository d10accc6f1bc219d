"""What recordings a file holds, if any: a folder of recordings holds much else."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import fields
from types import ModuleType
from typing import Any, NamedTuple

from evstore.errors import ArgumentError, CorruptError, FormatError, TruncatedError
from evstore.formats import registry
from evstore.formats.reading import ReadOptions
from evstore.recording import opening
from evstore.recording.stream import HEAD, stream_names
from evstore.shard.shard import Shard

#: Formats whose files may hold anything else as well: tables, containers. They are opened.
LOOSE = ("npy", "npz", "csv", "rpg", "hdf5", "mat", "mat73", "rosbag", "arrow", "parquet")

#: What a conversion that was killed leaves.
UNFINISHED = ".part"

#: Formats whose streams are sensors on one clock. Those of HDF5 and MAT may be samples as well.
ONE_CLOCK = ("rosbag", "aedat3", "aedat4")

_READ = [option.name for option in fields(ReadOptions)]


class Contents(NamedTuple):
    """The names of a file's recordings, ``[None]`` where there is one only; or why there is none.

    ``group``: whether the recordings are sensors on one clock; ``shard``: whether it is a shard.
    """

    names: list[str | None]
    why: str = ""
    group: bool = False
    shard: bool = False


def recordings_in(path: str, reading: Mapping[str, Any]) -> Contents:
    """What a file holds; ``reading`` are arguments of `evstore.open`.

    A recording that is damaged counts: who reads it will say what is wrong.
    """
    if path.endswith(UNFINISHED):
        return Contents([], "unfinished: what a conversion that was killed leaves")
    try:
        if reading.get("input_format") in (None, "evs") and opening.is_shard(path):
            return _in_shard(path)
        module = _module(path, reading.get("input_format"))
        if module is None:
            return Contents([], f"its name is none of a file of {reading['input_format']}")
        names = _streams(path, module, reading)
        if len(names) > 1:
            return Contents(names, group=module.NAME in ONE_CLOCK)
        if module.NAME in LOOSE or names:
            opening.open(path, **reading).close()
    except (TruncatedError, CorruptError, OSError):
        pass
    except FormatError as error:
        error.path = error.hint = None  # the path stands beside it
        return Contents([], str(error))
    except ArgumentError as error:
        return Contents([], str(error))
    return Contents([None])


def _in_shard(path: str) -> Contents:
    with Shard(path) as shard:
        ids: list[str | None] = list(dict.fromkeys(info.id for info in shard.recordings))
    if not ids:
        return Contents([], "a shard without recordings")
    return Contents(ids if len(ids) > 1 else [None], shard=True)


def _module(path: str, forced: str | None) -> ModuleType | None:
    suffix = os.path.splitext(path)[1].lower()
    if forced is not None:
        module = registry.by_name(forced)
        return module if suffix in module.SUFFIXES else None
    with open(path, "rb") as file:
        head = file.read(HEAD)
    return registry.detect(head, os.path.getsize(path), suffix)


def _streams(path: str, module: ModuleType, reading: Mapping[str, Any]) -> list[str | None]:
    if not hasattr(module, "streams") or reading.get("recording") is not None:
        return []
    options = ReadOptions(**{name: reading[name] for name in _READ if name in reading})
    return list(stream_names(path, options, reading.get("input_format")))
