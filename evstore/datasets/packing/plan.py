"""Which recording goes to which shard: the same for the same sources, so that a rerun goes on.

Recordings are shuffled first (groups stay together), so that each shard holds a bit of every
class, and what is read together while training is varied. A shard gets recordings until their
files' sizes, times what a few of them shrink to, reach the size wanted.
"""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from hashlib import blake2b

from evstore.datasets.natural import natural
from evstore.datasets.packing.item import Found, Item
from evstore.datasets.packing.job import PackJob, PackOptions, how_to_read
from evstore.errors import ArgumentError, EvstoreError
from evstore.recording.opening import open_all
from evstore.shard.address import split_address
from evstore.shard.writer import whole_shard

PILOTS = 4
PILOT_EVENTS = 1 << 20
USUAL_RATIO = 0.4  # bytes of a shard for each of a source, where no pilot tells


def plan_shards(
    found: Found, folder: str, options: PackOptions, shard_bytes: int, layout: str | None
) -> list[PackJob]:
    """A job for each shard. Raises ArgumentError for ids that are not unique, or no items."""
    if shard_bytes < 1:
        raise ArgumentError(f"shard_bytes must be 1 or more, got {shard_bytes}")
    _check_ids(found.items)
    about = {"classes": found.classes, "layout": layout}
    about = {name: value for name, value in about.items() if value is not None}
    uses = Counter(split_address(item.source)[0] for item in found.items)
    sizes = {path: os.path.getsize(path) if os.path.exists(path) else 0 for path in uses}
    ratio = _ratio(found.items, options)
    jobs: list[PackJob] = []
    for split in _splits(found.items):
        shards: list[list[Item]] = []
        room = 0.0
        for unit in _units(item for item in found.items if item.split == split):
            paths = [split_address(item.source)[0] for item in unit]
            size = ratio * sum(sizes[path] / uses[path] for path in paths)
            if not shards or room < size:
                shards.append([])
                room = float(shard_bytes)
            shards[-1] += unit
            room -= size
        for number, items in enumerate(shards):
            target = os.path.join(folder, f"{shard_name(split)}-{number:05d}.evs")
            paths = [split_address(item.source)[0] for item in items]
            shares = tuple(sizes[path] / uses[path] for path in paths)
            jobs.append(PackJob(target, tuple(items), about, found.first_class, shares))
    _check_targets(jobs)
    return jobs


def _check_ids(items: Sequence[Item]) -> None:
    if not items:
        raise ArgumentError("found no recordings to pack")
    seen: dict[str, str] = {}
    for item in items:
        if item.id in seen:
            raise ArgumentError(
                f"two recordings would be called {item.id!r}: {seen[item.id]} and {item.source}"
            )
        if not item.id:
            raise ArgumentError(f"{item.source}: a recording of a dataset needs an id")
        seen[item.id] = item.source


def _splits(items: Sequence[Item]) -> list[str | None]:
    return sorted({item.split for item in items}, key=lambda split: (split is None, split or ""))


def shard_name(split: str | None) -> str:
    """What the names of a split's shards begin with."""
    kept = (c if c.isalnum() or c in "-_" else "_" for c in split or "data")
    return "".join(kept)


def _check_targets(jobs: Sequence[PackJob]) -> None:
    twice = [path for path, n in Counter(job.target for job in jobs).items() if n > 1]
    if twice:
        raise ArgumentError(f"two splits have names that are one as a file's: {twice[0]}")


def _units(items: Iterable[Item]) -> list[list[Item]]:
    """Items shuffled by what they are called, a group in one piece."""
    units: dict[str, list[Item]] = {}
    for item in items:
        key = f"group {item.group}" if item.group is not None else f"id {item.id}"
        units.setdefault(key, []).append(item)
    for unit in units.values():
        unit.sort(key=lambda item: natural(item.id))
    return [units[key] for key in sorted(units, key=shuffled)]


def shuffled(id: str) -> bytes:
    """A key by which recordings are sorted as good as at random, the same everywhere."""
    return blake2b(id.encode("utf-8", "surrogateescape"), digest_size=8).digest()


def _ratio(items: Sequence[Item], options: PackOptions) -> float:
    """Bytes of a shard for each byte of a source: of a few sources, as far as a million events.

    A source that fails tells nothing here; it fails again where it is packed.
    """
    paths = sorted({split_address(item.source)[0]: item for item in items}.items())
    chosen = [paths[len(paths) * k // PILOTS][1] for k in range(min(PILOTS, len(paths)))]
    read = wrote = 0
    for item in chosen:
        try:
            bytes_read, bytes_written = _pilot(item, options)
        except (EvstoreError, OSError):
            continue
        read, wrote = read + bytes_read, wrote + bytes_written
    return wrote / read if read and wrote else USUAL_RATIO


def _pilot(item: Item, options: PackOptions) -> tuple[int, int]:
    """Bytes read of a source, and what they take in a shard."""
    path = split_address(item.source)[0]
    said = how_to_read(item, options).said()
    with tempfile.TemporaryDirectory() as folder:
        read, whole, wrote = 0, True, os.path.join(folder, "a.evs")
        with whole_shard(wrote, preset=options.preset) as shard:
            for number, recording in enumerate(open_all(path, **said)):
                writer = shard.recording(str(number), resolution=None)
                with recording:
                    for events in recording.batches():
                        writer.write(events)
                        if writer.n_events >= PILOT_EVENTS:
                            read, whole = read + recording.position, False
                            break
                writer.close()
                if not whole:
                    break
        size = os.path.getsize(wrote)
    return (os.path.getsize(path) if whole else read), size
