"""A manifest made of the shards alone."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from evstore.datasets.manifest import Manifest, make_manifest
from evstore.errors import ArgumentError
from evstore.shard.index import RecordingInfo
from evstore.shard.reader import RecordingReader
from evstore.shard.shard import Shard

#: Intervals of labels that a manifest holds for one recording; more stay in the shard alone.
MOST_INTERVALS = 100_000


def shards_below(folder: str | os.PathLike[str]) -> list[str]:
    """The shards in a folder and the folders below it, sorted by path."""
    found = []
    for base, folders, files in os.walk(os.fspath(folder), onerror=_raise):
        folders.sort()
        found += [os.path.join(base, name) for name in sorted(files) if name.endswith(".evs")]
    return found


def _raise(error: OSError) -> None:
    raise error


def index_shards(
    paths: Sequence[str],
    folder: str | os.PathLike[str],
    classes: list[str] | None = None,
    about: Mapping[str, Any] | None = None,
) -> Manifest:
    """The manifest of these shards, whose names in it are relative to ``folder``.

    Reads directories and indexes, no events. ``classes`` and ``about``: what the shards say,
    unless they are given. Raises FormatError for a shard that is not whole, ArgumentError where
    two shards disagree or hold the same recording.
    """
    if not paths:
        raise ArgumentError(f"{os.fspath(folder)}: there are no shards (.evs) in it")
    rows: list[dict[str, Any]] = []
    said: dict[str, Any] = {}
    for path in paths:
        name = os.path.relpath(path, folder).replace(os.sep, "/")
        with Shard(path) as shard:
            for info in shard.recordings:
                rows.append(_row(shard, info, name))
                _gather(said, info, name)
    facts = {**said, **(about or {})}
    names = facts.pop("classes", None)
    return make_manifest(rows, names if classes is None else classes, facts)


def _gather(said: dict[str, Any], info: RecordingInfo, name: str) -> None:
    """What a recording says of its dataset."""
    for key, value in (info.metadata.get("dataset") or {}).items():
        if said.setdefault(key, value) != value:
            raise ArgumentError(
                f"{name}: is of another dataset than the shards before it: its {key} are "
                f"{value!r}, theirs {said[key]!r}; `evstore dataset merge` joins datasets"
            )


def _row(shard: Shard, info: RecordingInfo, name: str) -> dict[str, Any]:
    reader = RecordingReader(shard, info)
    t_first, _, t_min, t_max = reader.index.span() or (0, 0, 0, -1)
    width, height = info.resolution or (None, None)
    metadata = info.metadata
    source = metadata.get("source")
    boxes = sum(rows for _, _, rows in info.side.get("boxes", ()))
    return {
        "id": info.id,
        "part": info.part,
        "split": _text(metadata.get("split")),
        "label": metadata.get("label"),
        "group": _text(metadata.get("group")),
        "shard": name,
        "position": info.number,
        "first_event": info.first_event,
        "events": info.n_events,
        "t_first": t_first,
        "t_min": t_min,
        "t_max": t_max,
        "width": width,
        "height": height,
        "root": info.root,
        "source": source.get("name") if isinstance(source, dict) else None,
        "boxes": boxes,
        "intervals": list(_intervals(reader, info)) or None,
        "columns": dict(metadata.get("columns") or {}),
    }


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _intervals(reader: RecordingReader, info: RecordingInfo) -> Iterator[dict[str, int]]:
    """The labelled times of a recording, so that windows can be planned without its shard."""
    if sum(rows for _, _, rows in info.side.get("labels", ())) > MOST_INTERVALS:
        raise ArgumentError(
            f"recording {info.id!r} has more than {MOST_INTERVALS:,} labelled intervals"
        )
    table = reader.side("labels")
    if table is None or not {"t_start", "t_stop", "class_id"} <= set(table):
        return
    columns = (table[name].tolist() for name in ("t_start", "t_stop", "class_id"))
    for start, stop, class_id in zip(*columns, strict=True):
        yield {"t_start": start, "t_stop": stop, "class_id": class_id}
