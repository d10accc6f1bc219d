"""One recording of any kind into a shard that is being written."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from evstore import __version__
from evstore.conversion.changed import changed
from evstore.conversion.feed import feed, in_order
from evstore.conversion.job import Options
from evstore.conversion.source_hash import SourceHash
from evstore.conversion.teller import Teller
from evstore.events import Events
from evstore.formats.sides import Sides
from evstore.noise.masks import HOT_PIXELS
from evstore.recording.base import Recording
from evstore.recording.foreign import ForeignRecording
from evstore.recording.in_shard import ShardRecording
from evstore.recording.stream import is_pipe
from evstore.shard.address import split_address
from evstore.shard.index import RecordingInfo
from evstore.shard.recording_writer import RecordingWriter
from evstore.shard.writer import ShardWriter

COPIED_FROM = "copied_from"  # the recording of a shard that another was made of
#: Keys of a recording's metadata that mean something to evstore.
OUR_KEYS = (
    "noise", "source", "source_sha256", "dropped", "label", "recovered", HOT_PIXELS, COPIED_FROM,
)  # fmt: skip


@dataclass(frozen=True)
class Naming:
    """What a copy is called, and what is said of it, beside what its source says."""

    id: str | None = None
    label: Any = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    ahead: bool = False  # read it whole before any of it is written: a source that fails is not in
    replaces: tuple[str, ...] = ()  # keys of metadata of which the source's own are left out


AS_IT_IS = Naming()


def copy_foreign(
    shard: ShardWriter,
    recording: ForeignRecording,
    source: str,
    options: Options,
    told: Teller,
    source_hash: SourceHash,
    naming: Naming = AS_IT_IS,
) -> RecordingWriter:
    """Write a foreign file's recording; the caller closes what is returned."""
    about, known = about_source(source, recording), dict(recording.metadata)
    metadata = _known_before(recording, about, options, naming)
    batches: Iterable[tuple[Events, Sides]]
    batches = changed(feed(recording, options.selection), recording, options)
    if naming.ahead:
        batches = list(batches)
    writer = shard.recording(
        recording.id if naming.id is None else naming.id,
        resolution=None if recording.grows else recording.stated_resolution,
        label=recording.label if naming.label is None else naming.label,
        metadata=metadata,
    )
    for events, sides in batches:
        for stream, table in sides.items():
            writer.append_rows(stream, table)
        writer.write(events, checked=True)
        told.add(len(events))
        source_hash.reach(recording.position, here=writer.is_ahead)
    # Readers learn some of it only on the way.
    now = recording.metadata.items()
    writer.metadata.update({name: value for name, value in now if known.get(name) != value})
    if "size" in about:
        # Beside "source", which is in the recording's BEGIN already: said once, not twice.
        writer.metadata["source_sha256"] = source_hash.result()
    if recording.dropped:
        writer.metadata["dropped"] = dict(recording.dropped)
    if recording.grows and recording.stated_resolution and recording.resolution_so_far:
        writer.state_resolution(recording.resolution_so_far)
        writer.metadata["resolution_from"] = "events, grown"
    return writer


def _known_before(
    recording: ForeignRecording, about: Mapping[str, Any], options: Options, naming: Naming
) -> dict[str, Any]:
    """The metadata of a copy, as far as it is known before any event is read."""
    # A header may say anything: what means something to evstore stands apart from it.
    ours = (*OUR_KEYS, *naming.replaces)
    said = {f"header_{k}" if k in ours else k: v for k, v in recording.metadata.items()}
    metadata = _metadata(said, options) | {**naming.metadata, "source": about}
    if options.resolution is not None:
        metadata["resolution_from"] = "given"
    return metadata


def copy_shard(
    shard: ShardWriter,
    recording: ShardRecording,
    source: str,
    options: Options,
    told: Teller,
    naming: Naming = AS_IT_IS,
) -> RecordingWriter:
    """Write a recording of another shard; the caller closes what is returned."""
    metadata = _metadata(recording.metadata, options)
    for key in (COPIED_FROM, *naming.replaces):
        metadata.pop(key, None)
    metadata.setdefault("source", about_source(source, recording))
    label = metadata.pop("label", None)
    whole = options.keeps_all
    writer = shard.recording(
        recording.id if naming.id is None else naming.id,
        resolution=recording.resolution or options.resolution,
        label=label if naming.label is None else naming.label,
        metadata={**metadata, **naming.metadata},
        part=recording.info.part if whole else 0,
        first_event=recording.info.first_event if whole else 0,
    )
    no_sides: Sides = {}
    plain = ((events, no_sides) for events in recording.batches(options.selection))
    for events, _ in changed(plain, recording, options):
        writer.write(events)
        told.add(len(events))
    dropped = recording.dropped
    if options.selection.start is None and options.selection.stop is None:
        for stream in recording.side_streams:
            for table in recording.side_tables(stream):
                writer.append_rows(stream, table)
    else:
        # Intervals are cut to the selected times; rows without a time have no place among them.
        rows = in_order(recording, options.selection)
        for _, sides in rows.until(None):
            for stream, table in sides.items():
                writer.append_rows(stream, table)
        for stream, count in rows.left_out.items():
            dropped[stream] = dropped.get(stream, 0) + count
    if dropped:
        writer.metadata["dropped"] = dropped
    return writer


def copied_from(source: str, info: RecordingInfo) -> dict[str, Any]:
    """What says of which recording of a shard another was made that has not the same root."""
    return {"name": os.path.basename(split_address(source)[0]), "root": info.root.hex()}


def _metadata(known: Mapping[str, Any], options: Options) -> dict[str, Any]:
    """What is known of a recording, and what is done to it."""
    metadata = {**known, "converter": f"evstore {__version__}"}
    metadata.pop("asked", None)
    if asked := options.asked():
        metadata["asked"] = asked
    if "noise" in asked:  # what was done to it before, too
        before = metadata.get("noise", [])
        metadata["noise"] = [*(before if isinstance(before, list) else [before]), asked["noise"]]
    return metadata | options.metadata


def about_source(source: str, recording: Recording) -> dict[str, Any]:
    """What a copied recording says of where it came from."""
    about: dict[str, Any] = {
        "name": os.path.basename(split_address(source)[0]),
        "format": recording.format,
    }
    if not is_pipe(source):
        status = os.stat(recording.path)
        about |= {"size": status.st_size, "mtime_ns": status.st_mtime_ns}
    if isinstance(recording, ForeignRecording) and recording.header:
        about["header"] = recording.header.decode("latin-1")
    return about
