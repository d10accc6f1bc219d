"""Whether a shard of a dataset is there already, made of the same sources in the same way."""

from __future__ import annotations

import os
from collections import deque
from functools import lru_cache
from typing import Any

from evstore.conversion.source_hash import hash_file
from evstore.datasets.packing.item import Item
from evstore.datasets.packing.job import PackJob, PackOptions, how_to_read
from evstore.errors import FormatError
from evstore.shard.address import split_address
from evstore.shard.index import RecordingInfo
from evstore.shard.shard import Shard

#: Where a recording that came of a shard says what that file was like: its own ``source`` is
#: what the shard had been made of.
PACKED_FROM = "packed_from"
#: What the tables of labels were like that lay beside the source.
TABLES = "tables"
#: "source" where a label is the file's own word, not that of who listed it.
LABEL_FROM = "label_from"
#: In a shard's first recording, how all of them were written.
PRESET = "preset"


def state_of(path: str) -> dict[str, int]:
    """Size and time of change, by which one sees that a file is another."""
    status = os.stat(path)
    return {"size": status.st_size, "mtime_ns": status.st_mtime_ns}


def tables_of(item: Item, first_class: int) -> dict[str, Any]:
    """The tables of labels that lie beside an item's source, as they are now."""
    named = {"intervals": item.intervals, "boxes": item.boxes}
    found: dict[str, Any] = {k: state_of(path) for k, path in named.items() if path is not None}
    if found and first_class:
        found["first_class"] = first_class
    return found


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
            if infos[0].metadata.get(PRESET) != options.preset:
                return False
        return _are_of(infos, job, options)
    except FormatError:
        return False


def _are_of(infos: list[RecordingInfo], job: PackJob, options: PackOptions) -> bool:
    """Whether these are the recordings of the job's items, one after the other."""
    rest = deque(infos)
    ids = {item.id for item in job.items}
    for item in job.items:
        mine = []
        while rest and (rest[0].id == item.id or _is_stream(rest[0].id, item.id, ids)):
            mine.append(rest.popleft())
        if not mine or not all(_same(item, info, job, options) for info in mine):
            return False
    return not rest


def _is_stream(id: str, of: str, ids: set[str]) -> bool:
    """Whether a recording is one of several in the file of the item ``of``."""
    return id.startswith(f"{of}/") and id not in ids


def _same(item: Item, info: RecordingInfo, job: PackJob, options: PackOptions) -> bool:
    said: dict[str, Any] = info.metadata
    wanted = {"split": item.split, "group": item.group, "columns": dict(item.columns) or None}
    if info.id != item.id:
        wanted.pop("group")  # those of one file are a group
    elif said.get("label") != item.label and (item.label, said.get(LABEL_FROM)) != (None, "source"):
        return False
    try:
        if said.get(TABLES, {}) != tables_of(item, job.first_class):
            return False
    except OSError:  # a table is gone: who reads it says so
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
    return PACKED_FROM not in said and said.get("source_sha256") == _hash(path, **now)


@lru_cache(16)
def _hash(path: str, size: int, mtime_ns: int) -> str | None:
    """SHA-256 of a file in that state, once for the many recordings that may be in it."""
    return hash_file(path)
