"""Every recording of a source into one shard."""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from evstore.conversion.copying import COPIED_FROM, copied_from, copy_foreign, copy_shard
from evstore.conversion.job import Job, Options, Receipt
from evstore.conversion.source_hash import SourceHash
from evstore.conversion.teller import Progress, Teller
from evstore.formats.reading import BATCH_EVENTS
from evstore.interrupts import interrupts_held
from evstore.recording.base import Recording
from evstore.recording.foreign import ForeignRecording
from evstore.recording.in_shard import ShardRecording
from evstore.recording.stream import is_pipe
from evstore.shard.address import split_address
from evstore.shard.recording_writer import LEAVES_AT_ONCE
from evstore.shard.root import LEAF_EVENTS
from evstore.shard.writer import ShardWriter

MOST_HELPERS = 3  # one thread reads no faster than three do the rest
HELPERS_FROM = 4 << 20  # bytes of source from which they are worth their start


def write_shard(
    job: Job,
    options: Options,
    recordings: list[tuple[Recording, Options]],
    receipt: Receipt,
    progress: Progress | None,
) -> None:
    """Write recordings to one shard, as is asked of each; its roots are proof of what was read.

    The part is removed where this fails, or kept where the source cannot be read again.
    """
    live, changes = is_pipe(job.source), bool(options.asked())
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
        for recording, asked in recordings:
            told = Teller(progress, recording)
            if isinstance(recording, ForeignRecording):
                source_hash = source_hash or SourceHash(split_address(job.source)[0], pool)
                writer = copy_foreign(shard, recording, job.source, asked, told, source_hash)
                if len(recordings) > 1:
                    writer.metadata["group"] = os.path.basename(job.source)
                writer.close()
                add_dropped(receipt, recording.dropped)
                recording.close()  # a file may hold thousands
            else:
                assert isinstance(recording, ShardRecording)
                writer = copy_shard(shard, recording, job.source, asked, told)
                if changes:  # the roots do not say what it was made of
                    writer.metadata[COPIED_FROM] = copied_from(job.source, recording.info)
                writer.close()
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
