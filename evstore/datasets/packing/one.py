"""Write one shard of a dataset: idempotent, atomic, with a receipt."""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from evstore.conversion.copying import Naming, copy_foreign, copy_shard
from evstore.conversion.source_hash import SourceHash
from evstore.conversion.teller import Teller
from evstore.datasets.class_ids import NO_CLASS, check_class_ids, check_recording
from evstore.datasets.packing.item import Item
from evstore.datasets.packing.job import PackJob, PackOptions, PackReceipt, how_to_read
from evstore.datasets.packing.ready import (
    LABEL_FROM,
    PACKED_FROM,
    PRESET,
    TABLES,
    is_ready,
    state_of,
    tables_of,
)
from evstore.datasets.packing.sources import Sources
from evstore.errors import CorruptError, EvstoreError
from evstore.recording.base import Recording
from evstore.recording.foreign import ForeignRecording
from evstore.recording.in_shard import ShardRecording
from evstore.recording.sides import clipped, meets
from evstore.shard.address import split_address
from evstore.shard.recording_writer import RecordingWriter
from evstore.shard.shard import Shard
from evstore.shard.verify import verify_shard
from evstore.shard.writer import ShardWriter, whole_shard

#: Files up to this size are read whole before any of it is written: one that fails costs nothing.
AHEAD_BYTES = 16 << 20

#: What a shard that is packed again says of the dataset that it was in.
DATASET_KEYS = ("dataset", "split", "group", "columns", PACKED_FROM, TABLES, LABEL_FROM, PRESET)

#: What goes wrong where the shard is written, whichever recording is written just then.
TARGET_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)


class _SourceError(Exception):
    """One source failed after a part of it was written: the shard is made again without it."""

    def __init__(self, item: Item, text: str) -> None:
        super().__init__(text)
        self.item = item
        self.text = text


def pack_one(job: PackJob, options: PackOptions) -> PackReceipt:
    """Write a shard, unless it is there already, whole and made of the same sources.

    Errors are in the receipt; nothing half-made is ever under the target's name.
    """
    started = time.monotonic()
    receipt = PackReceipt(job.target)
    try:
        if is_ready(job, options):
            _account(receipt, job)
            receipt.status = "skipped"
        else:
            _write_without_failing(job, options, receipt)
        if options.verify and receipt.status != "failed":
            verify_shard(job.target)
            receipt.verified = True
    except (EvstoreError, OSError) as error:
        receipt.status, receipt.error = "failed", _say(error)
        if options.verify and isinstance(error, CorruptError):
            with contextlib.suppress(OSError):
                os.remove(job.target)
    receipt.seconds = time.monotonic() - started
    return receipt


def _write_without_failing(job: PackJob, options: PackOptions, receipt: PackReceipt) -> None:
    bad: dict[str, str] = {}  # sources that fail only when a part of them is written
    while True:
        receipt.failed = []
        try:
            _write(job, options, receipt, bad)
            break
        except _SourceError as error:
            bad[error.item.id] = error.text
            if options.on_error == "stop":
                receipt.failed = [(error.item.source, error.text)]
                break
    if receipt.failed and (options.on_error == "stop" or len(receipt.failed) == len(job.items)):
        receipt.status = "failed"
        if options.on_error == "skip" and os.path.exists(job.target):
            receipt.error = (
                "none of its recordings can be read now, but a shard of an earlier time is there: "
                "remove it to have a dataset without them"
            )
        return
    _account(receipt, job)


def _write(job: PackJob, options: PackOptions, receipt: PackReceipt, bad: dict[str, str]) -> None:
    os.makedirs(os.path.dirname(os.path.abspath(job.target)), exist_ok=True)
    wrote = False
    with (
        contextlib.closing(Sources(job.items)) as sources,
        whole_shard(job.target, preset=options.preset, overwrite=True) as shard,
    ):
        for item in job.items:
            if item.id in bad:
                receipt.failed.append((item.source, bad[item.id]))
                continue
            about = {} if wrote else _of_shard(job, options)
            before = len(shard.done)
            try:
                _copy(shard, item, sources, job, options, about)
                wrote = True
            except (EvstoreError, OSError) as error:
                if isinstance(error, OSError) and error.errno in TARGET_ERRORS:
                    raise  # no fault of the source
                if shard.open_recordings or len(shard.done) > before:
                    raise _SourceError(item, _say(error)) from error
                receipt.failed.append((item.source, _say(error)))
            if receipt.failed and options.on_error == "stop":
                shard.abort()
                return
        if not shard.done:
            shard.abort()  # of nothing no shard is made


def _of_shard(job: PackJob, options: PackOptions) -> dict[str, Any]:
    """What a shard's first recording says of all of them."""
    dataset = {"dataset": dict(job.about)} if job.about else {}
    return {**dataset, PRESET: options.preset}


def _copy(
    shard: ShardWriter,
    item: Item,
    sources: Sources,
    job: PackJob,
    options: PackOptions,
    about: dict[str, Any],
) -> None:
    """Every recording of an item's source into the shard."""
    how = how_to_read(item, options)
    path = split_address(item.source)[0]
    sides = _tables(item, job)  # before anything is opened or written: a table may be wrong
    recordings = sources.recordings(item, how)
    ahead = os.path.getsize(path) <= AHEAD_BYTES
    source_hash: SourceHash | None = None
    try:
        for recording in recordings:
            if isinstance(recording, ShardRecording):
                about = {**about, PACKED_FROM: state_of(path)}
            naming = _naming(item, recording, len(recordings), about, ahead, job.first_class)
            about = {}
            told = Teller(None, recording)
            if isinstance(recording, ForeignRecording):
                source_hash = source_hash or sources.hash_of(path)
                writer = copy_foreign(shard, recording, item.source, how, told, source_hash, naming)
            else:
                assert isinstance(recording, ShardRecording)
                check_recording(recording, job.about.get("classes"))
                writer = copy_shard(shard, recording, item.source, how, told, naming)
            _append(writer, sides)
            writer.close()
            recording.close()
        if source_hash is not None:
            sources.keep_hash(path, source_hash)
    finally:
        if source_hash is not None:
            source_hash.close()
        for recording in recordings:
            recording.close()


def _naming(
    item: Item,
    recording: Recording,
    count: int,
    about: dict[str, Any],
    ahead: bool,
    first_class: int,
) -> Naming:
    """What a recording is called in the dataset: those of one file are a group."""
    id, group, label = item.id, item.group, item.label
    if count > 1:
        id, group = f"{item.id}/{recording.id}", group or item.id
        label = label if recording.label is None else recording.label
    metadata: dict[str, Any] = dict(about)
    for name, value in (("split", item.split), ("group", group)):
        if value is not None:
            metadata[name] = value
    if item.columns:
        metadata["columns"] = dict(item.columns)
    if tables := tables_of(item, first_class):
        metadata[TABLES] = tables
    if item.label is None and recording.label is not None:
        metadata[LABEL_FROM] = "source"
    return Naming(id, label, metadata, ahead, replaces=DATASET_KEYS)


def _tables(item: Item, job: PackJob) -> dict[str, dict[str, Any]]:
    """Side streams of the tables of labels that lie beside a source, of the part that is packed."""
    from evstore.datasets.labels import to_side
    from evstore.formats.label_tables import read_boxes, read_intervals

    found: dict[str, dict[str, Any]] = {}
    if item.intervals is not None:
        table = dict(read_intervals(item.intervals))
        table["class_id"] = table["class_id"] - job.first_class
        found["labels"] = to_side(table)
    if item.boxes is not None:
        table = dict(read_boxes(item.boxes))
        if isinstance(item.label, int):  # an outline states no class: it is the recording's
            table["class_id"] = np.where(
                table["class_id"] == NO_CLASS, item.label, table["class_id"]
            )
        found["boxes"] = to_side(table)
    start, stop, classes = item.start, item.stop, job.about.get("classes")
    for stream, table in found.items():
        path, first = (item.intervals, job.first_class) if stream == "labels" else (item.boxes, 0)
        try:
            check_class_ids(stream, [table], classes, first)
        except CorruptError as error:
            raise error.at(path or item.source) from None
        keep = meets(table, start, stop)
        rows = {name: column[keep] for name, column in table.items()}
        found[stream] = clipped(rows, start, stop) if stream == "labels" else rows
    return found


def _append(writer: RecordingWriter, sides: dict[str, dict[str, Any]]) -> None:
    for stream, table in sides.items():
        if len(next(iter(table.values()))):
            writer.append_rows(stream, table)


def _account(receipt: PackReceipt, job: PackJob) -> None:
    """Fill the receipt with what the finished shard says."""
    receipt.bytes_out = os.path.getsize(job.target)
    lost = {source for source, _ in receipt.failed}
    sizes = zip(job.items, job.source_bytes, strict=False)
    receipt.bytes_in = round(sum(size for item, size in sizes if item.source not in lost))
    with Shard(job.target) as shard:
        receipt.recordings = len(shard.recordings)
        receipt.events = sum(info.n_events for info in shard.recordings)
        for what, count in _dropped(shard):
            receipt.dropped[what] = receipt.dropped.get(what, 0) + count


def _dropped(shard: Shard) -> Iterator[tuple[str, int]]:
    for info in shard.recordings:
        yield from dict(info.metadata.get("dropped") or {}).items()


def _say(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)
