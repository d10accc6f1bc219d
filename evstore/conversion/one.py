"""Convert one file: idempotent, atomic, and with a receipt of what was kept."""

from __future__ import annotations

import contextlib
import os
import time

from evstore.conversion.finished import finished, is_replaceable
from evstore.conversion.job import Job, Options, Receipt
from evstore.conversion.masking import check_can_be_done, each_its_own
from evstore.conversion.plan import output_format
from evstore.conversion.teller import Progress
from evstore.conversion.to_format import write_foreign
from evstore.conversion.to_shard import add_dropped, batch_events, write_shard
from evstore.digests import digest
from evstore.errors import ArgumentError, CorruptError, FormatError
from evstore.noise.masks import HOT_PIXELS
from evstore.recording.base import Recording
from evstore.recording.foreign import ForeignRecording
from evstore.recording.opening import open as open_recording
from evstore.recording.opening import open_all
from evstore.recording.stream import is_pipe
from evstore.shard.address import split_address
from evstore.shard.shard import Shard
from evstore.shard.verify import verify_shard


class VerificationError(CorruptError):
    """What was written does not hold what was read."""


def convert_one(job: Job, options: Options, progress: Progress | None = None) -> Receipt:
    """Convert one file and say what was done; nothing half-made is ever under the target's name.

    With ``resume`` a target made of the same source is left as it is. Raises EvstoreError or
    OSError; the `.part` is removed then, or kept where the source cannot be read again.
    """
    started = time.monotonic()
    _check_places(job, options)
    if os.path.exists(job.target) and not options.overwrite:
        done = finished(job, options) if options.resume else None
        if done is not None:
            return done
        if not (options.resume and is_replaceable(job, options)):
            raise ArgumentError(
                f"{job.target}: exists already; --resume keeps it if it is this source's, "
                "--overwrite replaces it"
            )
    receipt = Receipt(job.source, job.target)
    before = _state(job.source)
    receipt.bytes_in = before[0] if before else 0
    most = batch_events(receipt, output_format(job.target, options))
    recordings = open_all(job.source, **options.said(), batch_events=most)
    try:
        os.makedirs(os.path.dirname(os.path.abspath(job.target)), exist_ok=True)
        receipt.format = recordings[0].format if recordings else "evs"
        _write(job, options, recordings, receipt, progress)
    finally:
        for recording in recordings:
            recording.close()
    if options.verify:
        _verify(job, options, receipt)
    receipt.bytes_out = os.path.getsize(job.target)
    # A source that still grows has more than was read.
    unchanged = before is not None and before == _state(job.source)
    if options.delete_source and receipt.verified and receipt.lossless and unchanged:
        os.remove(split_address(job.source)[0])
        receipt.deleted_source = True
    receipt.seconds = time.monotonic() - started
    return receipt


def _check_places(job: Job, options: Options) -> None:
    """Refuse what would lose the source, or could not be done."""
    check_can_be_done(job, options)
    source, _ = split_address(job.source)
    if is_pipe(source):
        if options.delete_source:
            raise ArgumentError(f"{job.source}: a pipe cannot be deleted")
        return
    for path in (job.target, f"{job.target}.part"):
        if os.path.exists(source) and os.path.exists(path) and os.path.samefile(source, path):
            raise ArgumentError(f"{job.source}: cannot be converted to itself")


def _state(source: str) -> tuple[int, int] | None:
    """Size and time of a file, by which one sees that it has changed; None of a pipe."""
    if is_pipe(source):
        return None
    status = os.stat(split_address(source)[0])
    return status.st_size, status.st_mtime_ns


def _write(
    job: Job,
    options: Options,
    recordings: list[Recording],
    receipt: Receipt,
    progress: Progress | None,
) -> None:
    kind = output_format(job.target, options)
    receipt.recordings = len(recordings)
    receipt.partial = not options.keeps_all or _is_one_of_many(job.source, recordings)
    if kind != "evs" and len(recordings) != 1:
        raise ArgumentError(
            f"{job.source}: holds {len(recordings)} recordings, {kind} takes one: "
            "name it with --recording"
        )
    asked = each_its_own(job, options, len(recordings))
    if options.hot_pixel_rule is not None:
        receipt.hot_pixels = sum(len(one.metadata[HOT_PIXELS]["pixels"]) for one in asked)
    if kind != "evs":
        write_foreign(job, asked[0], recordings[0], receipt, progress, kind)
        add_dropped(receipt, recordings[0].dropped)
    else:
        write_shard(job, options, list(zip(recordings, asked, strict=True)), receipt, progress)


def _is_one_of_many(source: str, recordings: list[Recording]) -> bool:
    """Whether the source holds other recordings than these."""
    if not recordings or isinstance(recordings[0], ForeignRecording):
        return False
    with Shard(split_address(source)[0]) as shard:
        return len(shard.recordings) > len(recordings)


def _verify(job: Job, options: Options, receipt: Receipt) -> None:
    """Decode what was written and compare it with what was read; what is wrong does not stay."""
    try:
        right = _is_right(job, options, receipt)
    except FormatError as error:
        _take_away(job)
        raise VerificationError(f"{job.target}: cannot be read: {error}", path=job.target) from None
    if not right:
        _take_away(job)
        raise VerificationError(
            f"{job.target}: does not hold the events of {job.source}", path=job.target
        )
    receipt.verified = True


def _is_right(job: Job, options: Options, receipt: Receipt) -> bool:
    kind = output_format(job.target, options)
    if kind != "evs":
        with open_recording(job.target, input_format=kind) as written:
            return bool(digest(written)["sha256"] == receipt.digest)
    found = verify_shard(job.target)
    with Shard(job.target) as shard:
        roots = [info.root.hex() for info in shard.recordings]
    return found.events == receipt.events and roots == receipt.roots


def _take_away(job: Job) -> None:
    """A target that is wrong loses its name; it is kept only where there is no other copy."""
    with contextlib.suppress(OSError):
        if is_pipe(job.source):
            os.replace(job.target, f"{job.target}.part")
        else:
            os.remove(job.target)
