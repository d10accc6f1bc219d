"""Open a recording, in a shard or in a foreign file."""

from __future__ import annotations

import builtins
import os
from dataclasses import fields
from typing import Any

from evstore.errors import ArgumentError, FormatError
from evstore.formats.reading import BATCH_EVENTS, ReadOptions
from evstore.formats.registry import SHARD_MAGIC
from evstore.noise.masks import drops
from evstore.recording.base import Recording
from evstore.recording.foreign import ForeignRecording
from evstore.recording.in_shard import ShardRecording
from evstore.recording.masked import MaskedRecording
from evstore.recording.stream import is_pipe, stream_names
from evstore.shard.address import split_address
from evstore.shard.shard import Shard

_READ = tuple(field.name for field in fields(ReadOptions))


def open(
    path: str | os.PathLike[str],
    *,
    recording: str | None = None,
    input_format: str | None = None,
    columns: tuple[str, ...] | None = None,
    time_unit: str | None = None,
    resolution: tuple[int, int] | None = None,
    sensor: str | None = None,
    grow: bool = False,
    drop_outside: bool = False,
    untrusted: bool = False,
    batch_events: int = BATCH_EVENTS,
    hot_pixels: str = "keep",
) -> Recording:
    """Open one recording: a shard's (``shard.evs#id`` or ``recording=``), or a foreign file's.

    Of a foreign file with several event streams, ``file#stream`` or ``recording=`` names one.

    The format is told by content, or forced with ``input_format``; ``columns``, ``time_unit``,
    ``resolution`` and ``sensor`` say what a file cannot. ``-`` reads standard input.
    ``untrusted``: where a library in C parses the format (HDF5, Parquet ...), it does so in a
    process of its own, with bounded memory. ``batch_events``: how many events of a foreign file
    are decoded at once, at most. ``hot_pixels="drop"`` leaves out, on every read, the events of
    the pixels in the mask that stands in a shard's metadata (`evstore.noise.mask_to_metadata`);
    ArgumentError where there is none. Events keep their numbers, so that slices have fewer.

    Raises FormatError (damaged, cut, of an unknown kind), ArgumentError, OSError.

    >>> with open("drive.raw") as rec:                       # doctest: +SKIP
    ...     events = rec.between(1_000_000, 1_010_000)
    """
    name, within = split_address(os.fspath(path))
    recording = recording if recording is not None else within
    kind = MaskedRecording if drops(hot_pixels) else ShardRecording
    if input_format in (None, "evs") and is_shard(name, input_format == "evs"):
        if resolution is not None:
            raise ArgumentError(f"{name}: a shard states its resolution; give none")
        shard = Shard(name)
        try:
            return kind(shard, shard.find(recording))
        except BaseException:
            shard.close()
            raise
    if kind is MaskedRecording:
        raise ArgumentError(
            f"{name}: hot_pixels='drop' is for shards, which hold a mask: convert it first"
        )
    options = ReadOptions(resolution, columns, time_unit, sensor, recording or None, batch_events)
    return ForeignRecording(name, options, input_format, grow, drop_outside, untrusted)


def open_all(path: str | os.PathLike[str], **said: object) -> list[Recording]:
    """Every recording of a shard or of a foreign file; arguments as for `open`."""
    name, within = split_address(os.fspath(path))
    wanted = said.pop("recording", None) or within
    if wanted is None and said.get("input_format") in (None, "evs") and is_shard(name):
        if said.get("resolution") is not None:
            raise ArgumentError(f"{name}: a shard states its resolution; give none")
        kind = MaskedRecording if drops(str(said.get("hot_pixels", "keep"))) else ShardRecording
        shard = Shard(name)
        try:
            users = {info.number for info in shard.recordings}
            found: list[Recording] = [kind(shard, info, users) for info in shard.recordings]
        except BaseException:
            shard.close()
            raise
        if not found:
            shard.close()
        return found
    if wanted is None:
        given: dict[str, Any] = said
        options = ReadOptions(**{k: v for k, v in given.items() if k in _READ})
        untrusted = bool(given.get("untrusted"))
        try:
            names = stream_names(name, options, given.get("input_format"), untrusted)
        except FormatError as error:
            raise error.at(name) from None
        if len(names) > 1:
            return _each(name, names, said)
    return [open(path, recording=wanted, **said)]  # type: ignore[arg-type]


def _each(path: str, names: list[str], said: dict[str, object]) -> list[Recording]:
    found: list[Recording] = []
    try:
        for name in names:
            found.append(open(path, recording=name, **said))  # type: ignore[arg-type]
            found[-1].close()  # until it is read: there may be thousands
    except BaseException:
        for recording in found:
            recording.close()
        raise
    return found


def is_shard(path: str, forced: bool = False) -> bool:
    """Whether the file starts as a shard does, or ends its name as one and is damaged."""
    if forced:
        if is_pipe(path):
            raise ArgumentError("a shard cannot be read from a pipe: name the file")
        return True
    if os.path.isdir(path) or is_pipe(path):  # reading a pipe would take its beginning away
        return False
    with builtins.open(path, "rb") as file:
        head = file.read(len(SHARD_MAGIC))
    if head == SHARD_MAGIC:
        return True
    return path.endswith((".evs", ".evs.part")) and head != b""
