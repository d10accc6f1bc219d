"""Whether a shard of a dataset is there already, made of the same sources in the same way."""

from __future__ import annotations

import os
from typing import Any

from evstore.conversion.source_hash import hash_file
from evstore.datasets.packing.item import Item
from evstore.datasets.packing.job import PackJob, PackOptions, how_to_read
from evstore.errors import FormatError
from evstore.recording.opening import split_address
from evstore.shard.index import RecordingInfo
from evstore.shard.shard import Shard

#: Where a recording that came of a shard says what that file was like: its own ``source`` is
#: what the shard had been made of.
PACKED_FROM = "packed_from"


def state_of(path: str) -> dict[str, int]:
    """Size and time of change, by which one sees that a file is another."""
    status = os.stat(path)
    return {"size": status.st_size, "mtime_ns": status.st_mtime_ns}


def is_ready(job: PackJob, options: PackOptions) -> bool:
    """Whether the target holds just the recordings of the job, of sources that are as they were.

    A source is as it was where its size and time of change are, or else its size and SHA-256.
    """
    if not os.path.exists(job.target):
        return False
    try:
        with Shard(job.target) as shard:
            infos = shard.recordings
            if not infos or infos[0].metadata.get("dataset", {}) != dict(job.about):
                return False
            if _preset_differs(shard, options):
                return False
    except FormatError:
        return False
    rest = list(infos)
    for item in job.items:
        mine = []
        while rest and (rest[0].id == item.id or rest[0].id.startswith(f"{item.id}/")):
            mine.append(rest.pop(0))
        if not mine or not all(_same(item, info, options) for info in mine):
            return False
    return not rest


def _preset_differs(shard: Shard, options: PackOptions) -> bool:
    """Whether chunks are of a codec that the preset does not use."""
    from evstore.codec.chunk import preset_codec
    from evstore.codec.presets import PACKED

    allowed = {PACKED, preset_codec(options.preset)}
    for info in shard.recordings[:1]:
        if any(chunk.codec not in allowed for chunk in shard.chunks(info)):
            return True
    return False


def _same(item: Item, info: RecordingInfo, options: PackOptions) -> bool:
    said: dict[str, Any] = info.metadata
    wanted = {"split": item.split, "group": item.group, "columns": dict(item.columns) or None}
    if info.id != item.id:
        wanted.pop("group")  # those of one file are a group
    elif said.get("label") != item.label and item.label is not None:
        return False
    if any(said.get(name) != value for name, value in wanted.items()):
        return False
    if said.get("asked", {}) != how_to_read(item, options).asked():
        return False
    about, path = said.get(PACKED_FROM, said.get("source")), split_address(item.source)[0]
    if not isinstance(about, dict) or not os.path.exists(path):
        return False
    now = state_of(path)
    if about.get("size") != now["size"]:
        return False
    if about.get("mtime_ns") == now["mtime_ns"]:
        return True
    return PACKED_FROM not in said and said.get("source_sha256") == hash_file(path)
