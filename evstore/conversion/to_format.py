"""One recording into a file of another format."""

from __future__ import annotations

import inspect
import io
import os
from types import ModuleType
from typing import Any, BinaryIO

from evstore.conversion.changed import changed
from evstore.conversion.feed import feed
from evstore.conversion.job import Job, Options, Receipt
from evstore.conversion.source_hash import hash_file
from evstore.conversion.teller import Progress, Teller
from evstore.digests import Digest
from evstore.errors import ArgumentError
from evstore.events import Events
from evstore.formats import registry
from evstore.formats.reading import Batch
from evstore.formats.sides import TRIGGERS, rows_of, without_triggers
from evstore.interrupts import interrupts_held
from evstore.recording.base import Recording
from evstore.recording.foreign import ForeignRecording
from evstore.recording.in_shard import ShardRecording
from evstore.recording.stream import is_pipe
from evstore.shard.output import PartFile

TOP = "top-left"  # where the first row is, unless a recording's metadata says otherwise


def write_foreign(
    job: Job,
    options: Options,
    recording: Recording,
    receipt: Receipt,
    progress: Progress | None,
    kind: str,
) -> None:
    """Write one recording in another format, atomically.

    The part is removed where this fails, or kept where the source cannot be read again.
    """
    rebases = inspect.signature(registry.by_name(kind).writer).parameters
    if options.rebase and "rebase" not in rebases:
        raise ArgumentError(f"{kind} holds any time as it is: no --rebase")
    resolution = _resolution(job, options, recording)
    live = is_pipe(job.source)
    digest, told = Digest(), Teller(progress, recording)
    target: PartFile | None = None
    try:
        with interrupts_held():
            target = PartFile(job.target, overwrite=options.overwrite or not live)
        stream = io.BufferedWriter(target.file)
        _pour(recording, options, kind, stream, resolution, digest, told, receipt)
        stream.flush()
        target.finish()
    except BaseException as error:
        if target is not None and live:
            target.close()
            if hasattr(error, "add_note"):
                error.add_note(f"what was read is kept in {target.part}")
        elif target is not None:
            target.discard()
        raise
    result = digest.result(resolution)
    receipt.events = result["events"]
    receipt.digest = result["sha256"]
    receipt.restored = _restored(job, recording, receipt, kind)


def _origin(metadata: dict[str, Any], module: ModuleType) -> tuple[dict[str, Any], bool]:
    """The metadata with the origin of what will be written, and whether rows change places for it.

    Tables have no origin: they hold what they are given.
    """
    wanted = getattr(module, "ORIGIN", None)
    if wanted is None:
        return metadata, False
    return {**metadata, "origin": wanted}, metadata.get("origin", TOP) != wanted


def _restored(job: Job, recording: Recording, receipt: Receipt, kind: str) -> str | None:
    """Whether a whole shard's recording went back to the very file it was made of."""
    source = recording.metadata.get("source")
    if receipt.partial or not isinstance(source, dict) or source.get("format") != kind:
        return None
    known = recording.metadata.get("source_sha256")
    same = source.get("size") == os.path.getsize(job.target) and known == hash_file(job.target)
    return "byte for byte" if same else "event for event"


def _resolution(job: Job, options: Options, recording: Recording) -> tuple[int, int]:
    """What the target's header will say, before any event is read."""
    if isinstance(recording, ForeignRecording) and recording.is_pipe:
        if recording.stated_resolution is None or recording.grows:
            raise ArgumentError(
                f"{job.source}: the resolution is known only at the end of a pipe: "
                "state it with --resolution, or convert to a shard first"
            )
        return recording.stated_resolution
    resolution = recording.resolution
    if resolution is None:
        raise ArgumentError(f"{job.source}: has no events to infer a resolution from: --resolution")
    return resolution


def _pour(
    recording: Recording,
    options: Options,
    kind: str,
    stream: BinaryIO,
    resolution: tuple[int, int],
    digest: Digest,
    told: Teller,
    receipt: Receipt,
) -> None:
    """Events and, where the format takes them, rows of side streams that fall between."""
    said: dict[str, Any] = {"rebase": True} if options.rebase else {}
    module = registry.by_name(kind)
    metadata, flips = _origin(recording.metadata, module)
    writer = module.writer(stream, resolution, metadata, **said)
    taken: tuple[str, ...] = getattr(writer, "TAKES", getattr(module, "TAKES", ()))
    met: dict[str, int] = {}
    try:
        for events, sides in changed(feed(recording, options.selection), recording, options):
            for name, table in sides.items():
                met[name] = met.get(name, 0) + rows_of(table)
            y = (resolution[1] - 1 - events.y).astype(events.y.dtype) if flips else events.y
            columns = (events.t, events.x, y, events.p)
            if taken:
                kept = {name: table for name, table in sides.items() if name in taken}
                triggers, side = without_triggers(kept)
                writer.write_batch(Batch(*columns, triggers, side or None))
            else:
                writer.write(*columns)
            origin = (writer.origin or 0) if options.rebase else 0
            digest.update(Events.of(events.t - origin, *columns[1:]))
            told.add(len(events))
        writer.close()
    except BaseException:
        if hasattr(writer, "discard"):
            writer.discard()
        raise
    receipt.side_streams = {stream: rows for stream, rows in met.items() if stream in taken}
    receipt.triggers = receipt.side_streams.get(TRIGGERS, 0)
    receipt.dropped |= _without_a_place(recording, taken, met)
    if options.transform is not None or options.hot_pixel_rule is not None:
        receipt.dropped["record_of_noise_steps"] = 1  # which a shard has in its metadata


def _without_a_place(
    recording: Recording, taken: tuple[str, ...], met: dict[str, int]
) -> dict[str, int]:
    """Rows of side streams, and a label, that the format does not take."""
    rows = {stream: count for stream, count in met.items() if stream not in taken}
    if isinstance(recording, ShardRecording):
        left = {k: v for k, v in recording.side_rows.items() if k not in taken}
        rows = {**left, **rows}
    return {**rows, **({"label": 1} if recording.label is not None else {})}
