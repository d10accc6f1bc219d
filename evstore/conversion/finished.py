"""What a resumed conversion finds: targets that are finished, and those that may be replaced."""

from __future__ import annotations

import os
from typing import Any

from evstore.conversion.changed import changed
from evstore.conversion.copying import COPIED_FROM, copied_from
from evstore.conversion.feed import feed
from evstore.conversion.job import Job, Options, Receipt
from evstore.conversion.masking import each_its_own
from evstore.conversion.plan import output_format
from evstore.conversion.source_hash import hash_file
from evstore.digests import Digest, digest
from evstore.errors import ArgumentError, EvstoreError, FormatError
from evstore.recording.base import Recording
from evstore.recording.opening import is_shard, open, open_all
from evstore.recording.stream import is_pipe
from evstore.shard.address import split_address
from evstore.shard.index import RecordingInfo
from evstore.shard.shard import Shard
from evstore.shard.verify import verify_shard

#: What is asked that makes other events of a source's, or says more of them.
CHANGES = frozenset({"noise", "hot_pixels", "metadata"})


def finished(job: Job, options: Options) -> Receipt | None:
    """The receipt of a target that holds just what this conversion would give, else None."""
    receipt = Receipt(job.source, job.target, "skipped")
    receipt.bytes_out = os.path.getsize(job.target)
    try:
        if output_format(job.target, options) != "evs":
            return receipt if _same_events(job, options, receipt) else None
        with Shard(job.target) as shard:
            infos = shard.recordings
        if not _same_source(job, options, infos):
            return None
        if options.verify:
            verify_shard(job.target)
            receipt.verified = True
    except FormatError:
        return None
    return _filled(receipt, job, options, infos)


def is_replaceable(job: Job, options: Options) -> bool:
    """Whether a conversion of a file of this name made the target: it may be made anew.

    Raises ArgumentError where its events were changed otherwise than is asked: that is a result,
    which another does not take the place of unless it is asked to.
    """
    if is_pipe(job.source):
        return False
    try:
        with Shard(job.target) as shard:
            infos = shard.recordings
    except (FormatError, OSError):
        return False
    if not infos or not _is_named_so(job, options, infos):
        return False
    theirs, ours = infos[0].metadata.get("asked", {}), options.asked()
    done = CHANGES.intersection(theirs) if isinstance(theirs, dict) else ()
    if theirs != ours and (done or not CHANGES.isdisjoint(ours)):
        raise ArgumentError(
            f"{job.target}: exists already, made of {os.path.basename(job.source)} with other "
            "steps, another seed or other flags, so that --resume leaves it as it is; "
            "--overwrite replaces it"
        )
    return True


def _is_named_so(job: Job, options: Options, infos: list[RecordingInfo]) -> bool:
    """Whether the target's recordings are of a file that is called as the source is."""
    copied = infos[0].metadata.get(COPIED_FROM)
    if not isinstance(copied, dict):
        return bool(_about(infos[0]).get("name") == os.path.basename(job.source))
    name, _ = split_address(job.source)
    if copied.get("name") != os.path.basename(name) or not os.path.isfile(name):
        return False
    return is_shard(name) and [i.id for i in _wanted(job, options)] == [i.id for i in infos]


def _about(info: RecordingInfo) -> dict[str, Any]:
    about = info.metadata.get("source")
    return about if isinstance(about, dict) else {}


def _same_source(job: Job, options: Options, infos: list[RecordingInfo]) -> bool:
    """Whether a shard was made of this very source, asked for the same."""
    if not infos or infos[0].metadata.get("asked", {}) != options.asked():
        return False
    name, _ = split_address(job.source)
    if not os.path.isfile(name):
        return False
    if is_shard(name):
        return _same_recordings(job, options, infos)
    about, status = _about(infos[0]), os.stat(name)
    if about.get("size") != status.st_size:
        return False
    if about.get("mtime_ns") == status.st_mtime_ns:
        return True
    return bool(infos[0].metadata.get("source_sha256") == hash_file(name))


def _same_recordings(job: Job, options: Options, infos: list[RecordingInfo]) -> bool:
    """Whether these are copies of a shard's recordings, or what was made of just these."""
    wanted = _wanted(job, options)
    if not options.asked():
        return [(i.id, i.root) for i in wanted] == [(i.id, i.root) for i in infos]
    made_of = [(i.id, i.metadata.get(COPIED_FROM)) for i in infos]
    return made_of == [(i.id, copied_from(job.source, i)) for i in wanted]


def _wanted(job: Job, options: Options) -> list[RecordingInfo]:
    """The recordings of a shard that are to be converted."""
    name, within = split_address(job.source)
    with Shard(name) as shard:
        one = options.recording or within
        return shard.recordings if one is None else [shard.find(one)]


def _same_events(job: Job, options: Options, receipt: Receipt) -> bool:
    """Whether a file of another format holds the events that it would be given."""
    if options.rebase or not os.path.isfile(split_address(job.source)[0]):
        return False
    try:
        sources = open_all(job.source, **options.said())
        try:
            if len(sources) != 1:
                return False
            wanted = _digest_wanted(sources[0], job, options)
        finally:
            for recording in sources:
                recording.close()
        with open(job.target) as target:
            found = digest(target)
    except EvstoreError:
        return False
    if wanted["sha256"] != found["sha256"]:
        return False
    receipt.events, receipt.digest = found["events"], found["sha256"]
    receipt.verified = options.verify
    return True


def _digest_wanted(recording: Recording, job: Job, options: Options) -> dict[str, Any]:
    """That of the events that the target would be given: nothing there says how it was made."""
    (how,) = each_its_own(job, options, 1)
    if how.transform is None:
        return digest(recording, options.selection)
    found = Digest()
    for events, _ in changed(feed(recording, options.selection), recording, how):
        found.update(events)
    return found.result(None)


def _filled(receipt: Receipt, job: Job, options: Options, infos: list[RecordingInfo]) -> Receipt:
    receipt.bytes_in = os.path.getsize(split_address(job.source)[0])
    receipt.format = _about(infos[0]).get("format")
    receipt.recordings = len(infos)
    receipt.events = sum(info.n_events for info in infos)
    for info in infos:
        for stream, parts in info.side.items():
            rows = sum(part[2] for part in parts)
            receipt.side_streams[stream] = receipt.side_streams.get(stream, 0) + rows
    receipt.triggers = receipt.side_streams.get("triggers", 0)
    receipt.roots = [info.root.hex() for info in infos]
    receipt.partial = not options.keeps_all or options.recording is not None
    for info in infos:
        for what, count in (info.metadata.get("dropped") or {}).items():
            receipt.dropped[what] = receipt.dropped.get(what, 0) + count
    return receipt
