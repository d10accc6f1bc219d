"""Convert one file: idempotent, atomic, and with a receipt of what was kept."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from evstore.conversion.job import Job, Options, Receipt
from evstore.conversion.plan import output_format
from evstore.conversion.targets import write_foreign, write_shard
from evstore.digests import digest
from evstore.errors import ArgumentError, CorruptError, FormatError
from evstore.recording.base import Recording
from evstore.recording.opening import open as open_recording
from evstore.recording.opening import open_all
from evstore.shard.shard import Shard
from evstore.shard.verify import verify_shard

Progress = Callable[[int, int], None]  # bytes of the source (by estimate) and events done
HASH_AT_ONCE = 1 << 20


def convert_one(job: Job, options: Options, progress: Progress | None = None) -> Receipt:
    """Convert one file and say what was done; nothing half-made is ever under the target's name.

    With ``resume`` a target made of the same source is left as it is. Raises EvstoreError or
    OSError; the `.part` is removed then, or kept and named where the source is standard input.
    """
    started = time.monotonic()
    receipt = Receipt(job.source, job.target)
    if os.path.exists(job.target) and not options.overwrite:
        if options.resume and is_finished(job):
            receipt.status = "skipped"
            receipt.bytes_out = os.path.getsize(job.target)
            return receipt
        if not options.resume:
            raise ArgumentError(
                f"{job.target}: exists already; --resume keeps it if it is this source's, "
                "--overwrite replaces it"
            )
    folder = os.path.dirname(os.path.abspath(job.target))
    os.makedirs(folder, exist_ok=True)
    recordings = open_all(
        job.source,
        recording=options.recording,
        input_format=options.input_format,
        columns=options.columns,
        time_unit=options.time_unit,
        resolution=options.resolution,
        sensor=options.sensor,
        grow=options.grow,
        drop_outside=options.drop_outside,
    )
    try:
        receipt.format = recordings[0].format if recordings else "evs"
        receipt.bytes_in = 0 if job.source == "-" else os.path.getsize(recordings[0].path)
        _write(job, options, recordings, receipt, progress)
    finally:
        for recording in recordings:
            recording.close()
    receipt.bytes_out = os.path.getsize(job.target)
    if options.delete_source and receipt.verified and receipt.lossless:
        os.remove(job.source)
        receipt.deleted_source = True
    receipt.seconds = time.monotonic() - started
    return receipt


def _write(
    job: Job,
    options: Options,
    recordings: list[Recording],
    receipt: Receipt,
    progress: Progress | None,
) -> None:
    kind = output_format(job.target, options)
    receipt.recordings = len(recordings)
    receipt.partial = not options.selection.is_everything
    with ThreadPoolExecutor(1, "evstore-source") as pool:
        source_hash = pool.submit(_hash_file, job.source)
        if kind == "evs":
            write_shard(
                job, options, recordings, receipt, progress, source_hash
            )  # fmt: skip
        else:
            if len(recordings) != 1:
                raise ArgumentError(
                    f"{job.source}: holds {len(recordings)} recordings, {kind} takes one: "
                    "name it with --recording"
                )
            write_foreign(job, options, recordings[0], receipt, progress, kind)
    for recording in recordings:
        for what, count in recording.dropped.items():
            receipt.dropped[what] = receipt.dropped.get(what, 0) + count
    if options.verify:
        _verify(job, kind, receipt)


def _verify(job: Job, kind: str, receipt: Receipt) -> None:
    """Decode what was written and compare it with what was read."""
    if kind == "evs":
        found = verify_shard(job.target)
        with Shard(job.target) as shard:
            roots = [info.root.hex() for info in shard.recordings]
        right = found.events == receipt.events and roots == receipt.roots
    else:
        with open_recording(job.target) as written:
            right = digest(written)["sha256"] == receipt.digest
    if not right:
        raise VerificationError(
            f"{job.target}: does not hold the events of {job.source}", path=job.target
        )
    receipt.verified = True


class VerificationError(CorruptError):
    """What was written does not hold what was read."""


def _hash_file(path: str) -> str | None:
    """SHA-256 of a file, None for a pipe."""
    if path == "-" or not os.path.isfile(path):
        return None
    hasher = hashlib.sha256()
    buffer = memoryview(bytearray(HASH_AT_ONCE))
    with open(path, "rb", buffering=0) as file:
        while count := file.readinto(buffer):
            hasher.update(buffer[:count])
    return hasher.hexdigest()


def is_finished(job: Job) -> bool:
    """Whether the target is a whole shard of this very source: by size and time, else by hash."""
    try:
        with Shard(job.target) as shard:
            infos = shard.recordings
        about = infos[0].metadata.get("source", {}) if infos else {}
        status = os.stat(job.source)
    except (FormatError, OSError):
        return False
    if about.get("size") != status.st_size:
        return False
    if about.get("mtime_ns") == status.st_mtime_ns:
        return True
    return bool(about.get("sha256") == _hash_file(job.source))
