"""One recording into a file of another format."""

from __future__ import annotations

import io
from typing import Any, BinaryIO

from evstore.conversion.feed import feed
from evstore.conversion.job import Job, Options, Receipt
from evstore.conversion.teller import Progress, Teller
from evstore.digests import Digest
from evstore.errors import ArgumentError
from evstore.events import Events
from evstore.formats import registry
from evstore.formats.reading import Batch
from evstore.interrupts import interrupts_held
from evstore.recording.base import Recording
from evstore.recording.foreign import ForeignRecording
from evstore.recording.in_shard import ShardRecording
from evstore.recording.stream import is_pipe
from evstore.shard.output import PartFile


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
    if options.rebase and kind != "evt3":
        raise ArgumentError(f"{kind} holds any time as it is: --rebase is for evt3")
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
    """Events and, where the format takes them, the triggers that fall between."""
    said: dict[str, Any] = {"rebase": True} if options.rebase else {}
    writer = registry.by_name(kind).writer(stream, resolution, recording.metadata, **said)
    takes = hasattr(writer, "write_batch")
    triggers_seen = 0
    try:
        for events, triggers in feed(recording, options.selection):
            triggers_seen += 0 if triggers is None else len(triggers.t)
            columns = (events.t, events.x, events.y, events.p)
            if takes:
                writer.write_batch(Batch(*columns, triggers))
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
    if takes:
        receipt.triggers = triggers_seen
    elif triggers_seen:
        receipt.dropped["triggers"] = triggers_seen
    receipt.dropped |= _without_a_place(recording)


def _without_a_place(recording: Recording) -> dict[str, int]:
    """What a shard holds beside events and triggers: no other format takes it."""
    if not isinstance(recording, ShardRecording):
        return {}
    rows = {
        stream: sum(part[2] for part in parts)
        for stream, parts in recording.info.side.items()
        if stream != "triggers"
    }
    return {**rows, **({"label": 1} if recording.label is not None else {})}
