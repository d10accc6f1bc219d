"""What a dataset holds: recordings, events, times, rates and bytes, by split and class."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from evstore.datasets.manifest import NAME, Manifest, read_manifest
from evstore.datasets.natural import natural
from evstore.errors import CorruptError
from evstore.shard.index import RecordingInfo
from evstore.shard.shard import Shard


@dataclass
class Numbers:
    """Of some recordings. Rates: events a second, the mean over all of their time, and the least
    and greatest of a recording that has events.

    ``bytes``: of chunks and side streams; of all recordings also what else the shards hold.
    """

    recordings: int = 0
    events: int = 0
    duration_s: float = 0.0
    rate_mean: float | None = None
    rate_min: float | None = None
    rate_max: float | None = None
    resolutions: list[tuple[int, int] | None] = field(default_factory=list)
    bytes: int = 0
    bits_per_event: float | None = None
    intervals: int = 0
    boxes: int = 0


@dataclass
class ClassNumbers(Numbers):
    """Of the recordings of a split that have one label; ``name`` is that of its class, if known."""

    split: str | None = None
    label: Any = None
    name: str | None = None


@dataclass
class Stats:
    """Of a dataset. ``classes``: a row for each label in each split, in that order.

    ``intervals``: of each class that labelled times are of, how many and how long they are.
    """

    path: str
    shards: int
    total: Numbers
    splits: dict[str | None, Numbers]
    classes: list[ClassNumbers]
    intervals: list[dict[str, Any]]

    def to_json(self) -> dict[str, Any]:
        """All of it; ``splits`` as a list, since a split may be None."""
        splits = [{"split": name, **asdict(numbers)} for name, numbers in self.splits.items()]
        return {**asdict(self), "splits": splits}


@dataclass
class _Recording:
    """One recording, its parts joined."""

    split: str | None
    label: Any
    events: int
    t_min: int
    t_max: int
    resolution: tuple[int, int] | None
    intervals: int
    boxes: int
    bytes: int

    @property
    def duration_us(self) -> int:
        return self.t_max + 1 - self.t_min if self.events else 0


def stats(folder: str | os.PathLike[str]) -> Stats:
    """What the manifest of a folder says, and the indexes of its shards; events are not read.

    Raises ArgumentError, FormatError, OSError.

    >>> stats("nmnist-evs/").total.recordings                                # doctest: +SKIP
    60000
    """
    path = os.fspath(folder)
    manifest = read_manifest(path)
    recordings = list(_recordings(manifest, _sizes(path, manifest)))
    keys = sorted({_key(one) for one in recordings}, key=lambda key: _order(*key[:2]))
    groups: dict[tuple[str | None, str], list[_Recording]] = {key: [] for key in keys}
    for one in recordings:
        groups[_key(one)].append(one)
    classes = []
    for (split, _), members in groups.items():
        label = members[0].label
        numbers = ClassNumbers(**vars(_numbers(members)))
        numbers.split, numbers.label = split, label
        numbers.name = class_name(manifest.classes, label)
        classes.append(numbers)
    splits = {
        split: _numbers([one for one in recordings if one.split == split])
        for split in dict.fromkeys(split for split, _ in groups)
    }
    names = set(manifest.values("shard"))
    total = _numbers(recordings)
    files = [os.path.join(path, *name.split("/")) for name in names] + [os.path.join(path, NAME)]
    total.bytes = sum(map(os.path.getsize, files))
    total.bits_per_event = 8 * total.bytes / total.events if total.events else None
    return Stats(path, len(names), total, splits, classes, _intervals(manifest))


def class_name(classes: Sequence[str] | None, label: Any) -> str | None:
    """The name of a label's class, where it has one."""
    known = classes is not None and type(label) is int and 0 <= label < len(classes)
    return classes[label] if known and classes is not None else None


def _key(one: _Recording) -> tuple[str | None, str]:
    return one.split, repr(one.label)


def _order(split: str | None, label: str) -> tuple[Any, ...]:
    return split is None, split or "", label == "None", natural(label)


def _recordings(manifest: Manifest, sizes: dict[tuple[str, int], int]) -> Iterator[_Recording]:
    names = (
        *("id", "split", "label", "events", "t_min", "t_max", "width", "height"),
        *("boxes", "shard", "position"),
    )
    columns = [manifest.values(name) for name in names]
    intervals = [len(value or ()) for value in manifest.values("intervals")]
    last, joined = None, None
    for row, n_intervals in zip(zip(*columns, strict=True), intervals, strict=True):
        id, split, label, events, t_min, t_max, width, height, boxes, shard, position = row
        size = sizes[shard, position]
        if joined is not None and id == last:
            if events:
                low, high = (t_min, t_max) if not joined.events else (joined.t_min, joined.t_max)
                joined.t_min, joined.t_max = min(low, t_min), max(high, t_max)
            joined.events += events
            joined.boxes += boxes
            joined.intervals += n_intervals
            joined.bytes += size
            continue
        if joined is not None:
            yield joined
        resolution = None if width is None or height is None else (width, height)
        last = id
        joined = _Recording(
            split, label, events, t_min, t_max, resolution, n_intervals, boxes, size
        )
    if joined is not None:
        yield joined


def _numbers(recordings: Sequence[_Recording]) -> Numbers:
    events = sum(one.events for one in recordings)
    duration = sum(one.duration_us for one in recordings)
    size = sum(one.bytes for one in recordings)
    rates = [one.events * 1e6 / one.duration_us for one in recordings if one.events]
    resolutions = {one.resolution for one in recordings}
    return Numbers(
        recordings=len(recordings),
        events=events,
        duration_s=duration / 1e6,
        rate_mean=events * 1e6 / duration if duration else None,
        rate_min=min(rates, default=None),
        rate_max=max(rates, default=None),
        resolutions=sorted(resolutions, key=lambda r: (r is None, r or ())),
        bytes=size,
        bits_per_event=8 * size / events if events else None,
        intervals=sum(one.intervals for one in recordings),
        boxes=sum(one.boxes for one in recordings),
    )


def _sizes(folder: str, manifest: Manifest) -> dict[tuple[str, int], int]:
    """Bytes of each recording's chunks and side streams, by shard and position."""
    wanted: dict[str, set[int]] = {}
    for name, at in zip(manifest.values("shard"), manifest.values("position"), strict=True):
        wanted.setdefault(name, set()).add(at)
    found: dict[tuple[str, int], int] = {}
    for name, places in wanted.items():
        with Shard(os.path.join(folder, *name.split("/"))) as shard:
            infos = dict(enumerate(shard.recordings))
            for at in sorted(places):
                if at not in infos:
                    raise _other_shard(folder, name)
                found[name, at] = _size(shard, infos[at])
    return found


def _other_shard(folder: str, name: str) -> Exception:
    return CorruptError(
        "is not the shard that the manifest was made of: it holds fewer recordings",
        path=os.path.join(folder, name),
        hint="`evstore dataset index` makes the manifest again of the shards",
    )


def _size(shard: Shard, info: RecordingInfo) -> int:
    chunks = sum(chunk.size for chunk in shard.chunks(info))
    return chunks + sum(size for parts in info.side.values() for _, size, _ in parts)


def _intervals(manifest: Manifest) -> list[dict[str, Any]]:
    """Labelled times by class."""
    lengths: dict[int, list[int]] = {}
    rows: Iterable[Any] = manifest.values("intervals")
    for row in rows:
        for one in row or ():
            lengths.setdefault(one["class_id"], []).append(one["t_stop"] - one["t_start"])
    return [
        {
            "class_id": number,
            "name": class_name(manifest.classes, number),
            "intervals": len(lengths[number]),
            "duration_s": sum(lengths[number]) / 1e6,
        }
        for number in sorted(lengths)
    ]
