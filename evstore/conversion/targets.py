"""Batches of a recording into a shard, or into a file of another format."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import numpy as np

from evstore import __version__
from evstore.conversion.job import Job, Options, Receipt
from evstore.digests import Digest
from evstore.errors import ArgumentError
from evstore.events import Events
from evstore.formats import registry
from evstore.formats.reading import Batch, Triggers
from evstore.recording.base import Recording
from evstore.recording.foreign import ForeignRecording, select
from evstore.recording.in_shard import ShardRecording
from evstore.selection import Selection
from evstore.shard.output import PartFile
from evstore.shard.recording_writer import RecordingWriter
from evstore.shard.writer import ShardWriter

Progress = Callable[[int, int], None]
TELL_EVERY_S = 0.1
TWO_THREADS_FROM = 4 << 20  # bytes of source from which a second thread is worth its start


def write_shard(
    job: Job,
    options: Options,
    recordings: list[Recording],
    receipt: Receipt,
    progress: Progress | None,
    source_hash: Future[str | None],
) -> None:
    """Write every recording to one shard; its roots are proof of what was read."""
    live = job.source == "-"
    shard = ShardWriter(
        job.target,
        preset=options.preset,
        overwrite=True,  # convert_one has asked already
        flush_s=1.0 if live else None,
        background=receipt.bytes_in >= TWO_THREADS_FROM,
    )
    try:
        for recording in recordings:
            told = _Teller(progress, recording)
            _copy(shard, recording, options, receipt, told, _source(job, recording), source_hash)
        shard.close()
    except BaseException as error:
        shard.abort(keep=live)
        if live:
            receipt.kept_part = shard.file.part
            if hasattr(error, "add_note"):
                error.add_note(f"what was read is kept in {shard.file.part}")
        raise


def _copy(
    shard: ShardWriter,
    recording: Recording,
    options: Options,
    receipt: Receipt,
    told: _Teller,
    source: dict[str, Any],
    source_hash: Future[str | None],
) -> None:
    metadata = {**recording.metadata, "converter": f"evstore {__version__}"}
    metadata.setdefault("source", source)
    if isinstance(recording, ForeignRecording):
        resolution = recording.stated_resolution
        if options.grow:
            resolution = None
    else:
        resolution = recording.resolution
    label = metadata.pop("label", None)
    writer = shard.recording(recording.id, resolution=resolution, label=label, metadata=metadata)
    for events in _events(recording, options.selection, writer):
        writer.write(events)
        told.add(len(events))
    if isinstance(recording, ShardRecording):
        for stream in recording.info.side:
            columns = recording.reader.side(stream)
            if columns is not None and options.selection.is_everything:
                writer.append_rows(stream, columns)
    elif source.get("size") is not None:
        writer.metadata["source"] = {**metadata["source"], "sha256": source_hash.result()}
    if recording.dropped:
        writer.metadata["dropped"] = dict(recording.dropped)
    if options.grow and resolution is None and writer.n_events:
        writer.metadata["resolution_from"] = "events, grown"
    writer.close()
    receipt.events += writer.n_events
    receipt.triggers += writer.rows("triggers")
    assert writer.root is not None
    receipt.roots.append(writer.root.hex())


def _events(
    recording: Recording, selection: Selection, writer: RecordingWriter
) -> Iterator[Events]:
    """The selected events; triggers go to the writer on the way."""
    if not isinstance(recording, ForeignRecording):
        yield from recording.batches(selection)
        return
    first = True
    for batch in recording.raw_batches():
        events = Events.of(*batch[:4])
        if first and len(events):
            selection, first = selection.absolute(int(events.t[0])), False
        if batch.triggers is not None:
            keep = np.ones(len(batch.triggers.t), np.bool_)
            if selection.start is not None:
                keep &= batch.triggers.t >= selection.start
            if selection.stop is not None:
                keep &= batch.triggers.t < selection.stop
            if keep.any():
                writer.trigger(*(column[keep] for column in batch.triggers))
        yield select(events, selection)


def _source(job: Job, recording: Recording) -> dict[str, Any]:
    """What a converted recording says of where it came from."""
    about: dict[str, Any] = {"name": os.path.basename(job.source), "format": recording.format}
    if job.source != "-":
        status = os.stat(recording.path)
        about |= {"size": status.st_size, "mtime_ns": status.st_mtime_ns}
    if isinstance(recording, ForeignRecording) and recording.header:
        about["header"] = recording.header.decode("latin-1")
    return about


def write_foreign(
    job: Job,
    options: Options,
    recording: Recording,
    receipt: Receipt,
    progress: Progress | None,
    kind: str,
) -> None:
    """Write one recording in another format, atomically."""
    module = registry.by_name(kind)
    resolution = options.resolution or recording.resolution
    if resolution is None:
        raise ArgumentError(f"{job.source}: has no events to infer a resolution from: --resolution")
    said: dict[str, Any] = {"rebase": True} if options.rebase else {}
    told, digest = _Teller(progress, recording), Digest()
    target = PartFile(job.target, overwrite=True)
    target.close()
    try:
        with open(target.part, "wb") as stream:
            writer = module.writer(stream, resolution, recording.metadata, **said)
            _pour(recording, options, writer, digest, told, receipt)
            writer.close()
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(target.part, job.target)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.remove(target.part)
        raise
    result = digest.result(resolution)
    receipt.events = result["events"]
    receipt.digest = result["sha256"]


def _pour(
    recording: Recording,
    options: Options,
    writer: Any,
    digest: Digest,
    told: _Teller,
    receipt: Receipt,
) -> None:
    """Events and, where the format takes them, the triggers that fall between."""
    edges = recording.triggers if options.selection.is_everything else None
    times = edges["t"] if edges is not None else np.empty(0, np.int64)
    takes = hasattr(writer, "write_batch")
    at, origin = 0, None
    for events in recording.batches(options.selection):
        if not len(events):
            continue
        stop = int(np.searchsorted(times, events.t[-1], "right"))
        triggers = None
        if edges is not None and takes and stop > at:
            triggers = Triggers(times[at:stop], edges["id"][at:stop], edges["p"][at:stop])
        at = max(at, stop)
        if takes:
            writer.write_batch(Batch(events.t, events.x, events.y, events.p, triggers))
        else:
            writer.write(events.t, events.x, events.y, events.p)
        origin = int(events.t[0]) if origin is None else origin
        shift = origin if options.rebase else 0
        digest.update(Events.of(events.t - shift, events.x, events.y, events.p))
        told.add(len(events))
    if edges is not None and takes:
        if at < len(times):
            writer.trigger(times[at:], edges["id"][at:], edges["p"][at:])
        receipt.triggers = len(times)
    elif edges is not None:
        receipt.dropped["triggers"] = len(times)


class _Teller:
    """Tells progress, but not too often: (bytes of the source read, events done)."""

    def __init__(self, progress: Progress | None, recording: Recording) -> None:
        self._progress = progress
        self._recording = recording
        self._events = 0
        self._last = 0.0

    def add(self, events: int) -> None:
        self._events += events
        if self._progress is not None and time.monotonic() - self._last > TELL_EVERY_S:
            self._last = time.monotonic()
            self._progress(self._recording.position, self._events)
