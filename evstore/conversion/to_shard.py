"""Every recording of a source into one shard."""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from evstore import __version__
from evstore.conversion.feed import feed, in_order
from evstore.conversion.job import Job, Options, Receipt
from evstore.conversion.source_hash import SourceHash
from evstore.conversion.teller import Progress, Teller
from evstore.formats.reading import BATCH_EVENTS
from evstore.interrupts import interrupts_held
from evstore.recording.base import Recording
from evstore.recording.foreign import ForeignRecording
from evstore.recording.in_shard import ShardRecording
from evstore.recording.opening import split_address
from evstore.recording.stream import is_pipe
from evstore.shard.recording_writer import LEAVES_AT_ONCE, RecordingWriter
from evstore.shard.root import LEAF_EVENTS
from evstore.shard.writer import ShardWriter

#: Keys of a recording's metadata that mean something to evstore.
OUR_KEYS = ("source", "source_sha256", "dropped", "label", "recovered")
MOST_HELPERS = 3  # one thread reads no faster than three do the rest
HELPERS_FROM = 4 << 20  # bytes of source from which they are worth their start


def write_shard(
    job: Job,
    options: Options,
    recordings: list[Recording],
    receipt: Receipt,
    progress: Progress | None,
) -> None:
    """Write every recording to one shard; its roots are proof of what was read.

    The part is removed where this fails, or kept where the source cannot be read again.
    """
    live = is_pipe(job.source)
    # This thread reads and decodes; others encode, hash and write whole leaves.
    pool: ThreadPoolExecutor | None = None
    if _has_helpers(receipt):
        pool = ThreadPoolExecutor(min(MOST_HELPERS, max(1, _cores() - 1)), "evstore-leaf")
    shard: ShardWriter | None = None
    source_hash: SourceHash | None = None  # of a foreign file
    try:
        with interrupts_held():
            shard = ShardWriter(
                job.target,
                preset=options.preset,
                # convert_one has asked already; but the part may be all that is left of a pipe.
                overwrite=options.overwrite or not live,
                flush_s=1.0 if live else None,
                pool=pool,
            )
        for recording in recordings:
            told = Teller(progress, recording)
            if isinstance(recording, ForeignRecording):
                source_hash = source_hash or SourceHash(split_address(job.source)[0], pool)
                writer = _copy_foreign(shard, recording, job, options, told, source_hash)
                if len(recordings) > 1:
                    writer.metadata["group"] = os.path.basename(job.source)
                writer.close()
                add_dropped(receipt, recording.dropped)
                recording.close()  # a file may hold thousands
            else:
                assert isinstance(recording, ShardRecording)
                writer = _copy_shard(shard, recording, job, options, told)
                add_dropped(receipt, writer.metadata.get("dropped", {}))
            receipt.events += writer.n_events
            receipt.triggers += writer.rows("triggers")
            for stream in writer.side_streams:
                receipt.side_streams[stream] = receipt.side_streams.get(stream, 0) + writer.rows(
                    stream
                )
            assert writer.root is not None
            receipt.roots.append(writer.root.hex())
        shard.close()
    except BaseException as error:
        if shard is not None:
            shard.abort(keep=live)
            if live and hasattr(error, "add_note"):
                error.add_note(f"what was read is kept in {shard.file.part}")
        raise
    finally:
        if pool is not None:
            pool.shutdown()  # of what it has yet to do, nothing takes long
        if source_hash is not None:
            source_hash.close()


def add_dropped(receipt: Receipt, dropped: Mapping[str, int]) -> None:
    """Count what of a recording was not kept."""
    for what, count in dropped.items():
        receipt.dropped[what] = receipt.dropped.get(what, 0) + count


def _copy_foreign(
    shard: ShardWriter,
    recording: ForeignRecording,
    job: Job,
    options: Options,
    told: Teller,
    source_hash: SourceHash,
) -> RecordingWriter:
    about, known = _about(job, recording), dict(recording.metadata)
    # A header may say anything: what means something to evstore stands apart from it.
    said = _metadata(recording, options).items()
    metadata = {f"header_{k}" if k in OUR_KEYS and k in known else k: v for k, v in said}
    metadata["source"] = about
    if options.resolution is not None:
        metadata["resolution_from"] = "given"
    resolution = None if recording.grows else recording.stated_resolution
    writer = shard.recording(
        recording.id, resolution=resolution, label=recording.label, metadata=metadata
    )
    for events, sides in feed(recording, options.selection):
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


def _copy_shard(
    shard: ShardWriter, recording: ShardRecording, job: Job, options: Options, told: Teller
) -> RecordingWriter:
    metadata = _metadata(recording, options)
    metadata.setdefault("source", _about(job, recording))
    label = metadata.pop("label", None)
    whole = options.selection.is_everything
    writer = shard.recording(
        recording.id,
        resolution=recording.resolution,
        label=label,
        metadata=metadata,
        part=recording.info.part if whole else 0,
        first_event=recording.info.first_event if whole else 0,
    )
    for events in recording.batches(options.selection):
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
    writer.close()
    return writer


def _metadata(recording: Recording, options: Options) -> dict[str, Any]:
    metadata = {**recording.metadata, "converter": f"evstore {__version__}"}
    metadata.pop("asked", None)
    if asked := options.asked():
        metadata["asked"] = asked
    return metadata


def _about(job: Job, recording: Recording) -> dict[str, Any]:
    """What a converted recording says of where it came from."""
    name = os.path.basename(split_address(job.source)[0])
    about: dict[str, Any] = {"name": name, "format": recording.format}
    if not is_pipe(job.source):
        status = os.stat(recording.path)
        about |= {"size": status.st_size, "mtime_ns": status.st_mtime_ns}
    if isinstance(recording, ForeignRecording) and recording.header:
        about["header"] = recording.header.decode("latin-1")
    return about


def _cores() -> int:
    """Processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _has_helpers(receipt: Receipt) -> bool:
    """Whether the source (0 bytes of a pipe) is large enough for them."""
    return receipt.bytes_in >= HELPERS_FROM


def batch_events(receipt: Receipt, output_format: str) -> int:
    """Events to read at once: what helpers take, but few of a pipe, which may be slow."""
    if output_format == "evs" and _has_helpers(receipt):
        return LEAVES_AT_ONCE * LEAF_EVENTS
    return BATCH_EVENTS
