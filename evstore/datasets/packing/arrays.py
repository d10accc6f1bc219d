"""Recordings that a Python object gives (tonic's datasets, or any of their shape), packed."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from typing import Any

from evstore import __version__
from evstore.datasets.indexing import index_shards
from evstore.datasets.manifest import NAME, write_manifest
from evstore.datasets.packing.job import PackOptions, PackReceipt, PackReport
from evstore.datasets.packing.plan import shard_name, shuffled
from evstore.datasets.packing.strangers import strangers_in
from evstore.datasets.packing.tonic_source import ArraySource
from evstore.errors import ArgumentError, EvstoreError
from evstore.shard.writer import whole_shard


def pack_arrays(
    source: ArraySource,
    folder: str,
    options: PackOptions,
    shard_bytes: int,
    overwrite: bool,
    on_receipt: Callable[[PackReceipt, int], None] | None,
) -> PackReport:
    """Read every sample once, shuffled by its id, and write shards of ``shard_bytes``.

    What an object gives can't be told from what it gave before: an interrupted run is begun
    again from its start. Raises ArgumentError where the folder holds a dataset already.
    """
    if not len(source):
        raise ArgumentError("the dataset is empty: there is nothing to pack")
    _make_room(source, folder, overwrite)
    about = {} if source.classes is None else {"classes": source.classes}
    report = PackReport(folder)
    todo = sorted(range(len(source)), key=lambda i: shuffled(source.id(i)))
    paths: list[str] = []
    while todo:
        path = os.path.join(folder, f"{shard_name(source.split)}-{len(paths):05d}.evs")
        receipt = _write(source, path, todo, options, shard_bytes, about)
        report.receipts.append(receipt)
        if on_receipt is not None:
            on_receipt(receipt, len(report.receipts) + bool(todo))
        if receipt.failed and options.on_error == "stop":
            return report
        if receipt.recordings:
            paths.append(path)
    if paths:
        made = index_shards(paths, folder, source.classes)
        report.manifest = os.fspath(write_manifest(made, folder))
    return report


def _make_room(source: ArraySource, folder: str, overwrite: bool) -> None:
    """Remove what an interrupted run left, or all that is there where that is asked for."""
    os.makedirs(folder, exist_ok=True)
    # What else is unfinished there may be someone's recording that is being written.
    own = re.compile(re.escape(shard_name(source.split)) + r"-[0-9]{5,}\.evs\.part")
    names = [name for name in os.listdir(folder) if name.endswith(".evs") or own.fullmatch(name)]
    manifest = os.path.join(folder, NAME)
    if os.path.exists(manifest) and not overwrite:
        raise ArgumentError(f"{folder}: holds a dataset already; overwrite=True replaces it")
    strangers = strangers_in(folder, None, {source.id(i) for i in range(len(source))})
    if strangers and not overwrite:
        raise ArgumentError(
            f"{folder}: holds {len(strangers)} shards that are not of this dataset: "
            f"{os.path.basename(strangers[0])} ...; overwrite=True removes them"
        )
    if os.path.exists(manifest):
        os.remove(manifest)  # first: it names shards that are going
    for name in names:
        os.remove(os.path.join(folder, name))


def _write(
    source: ArraySource,
    path: str,
    todo: list[int],
    options: PackOptions,
    shard_bytes: int,
    about: dict[str, Any],
) -> PackReceipt:
    """Take samples from the beginning of ``todo`` until the shard is as large as it is to be."""
    started, receipt = time.monotonic(), PackReceipt(path)
    with whole_shard(path, preset=options.preset) as shard:
        while todo and (not shard.done or shard.file.at < shard_bytes):
            i = todo.pop(0)
            try:
                events, label = source.read(i)
            except (EvstoreError, OSError) as error:
                receipt.failed.append((source.id(i), str(error)))
                if options.on_error == "stop":
                    break
                continue
            metadata = _metadata(source, i, {} if shard.done else about)
            out = shard.recording(
                source.id(i), resolution=events.resolution, label=label, metadata=metadata
            )
            out.write(events)
            out.close()
            receipt.events += len(events)
        receipt.recordings = len(shard.done)
        if (receipt.failed and options.on_error == "stop") or not shard.done:
            shard.abort()
            receipt.status, receipt.recordings = "failed", 0
    if receipt.recordings:
        receipt.bytes_out = os.path.getsize(path)
    receipt.seconds = time.monotonic() - started
    return receipt


def _metadata(source: ArraySource, i: int, about: dict[str, Any]) -> dict[str, Any]:
    metadata: dict[str, Any] = {"converter": f"evstore {__version__}"}
    metadata["source"] = {"name": f"{type(source.dataset).__name__}[{i}]", "format": "arrays"}
    if source.split is not None:
        metadata["split"] = source.split
    if about:
        metadata["dataset"] = about
    return metadata
