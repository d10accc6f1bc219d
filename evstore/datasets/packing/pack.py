"""`evstore pack`: recordings of any kind become one dataset."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from evstore.codec.presets import DEFAULT_PRESET
from evstore.conversion.pool import run_pool
from evstore.datasets.indexing import index_shards
from evstore.datasets.manifest import NAME, arrow, write_manifest
from evstore.datasets.packing.item import Found
from evstore.datasets.packing.job import SHARD_BYTES, PackJob, PackOptions, PackReceipt, PackReport
from evstore.datasets.packing.one import pack_one
from evstore.datasets.packing.plan import plan_shards
from evstore.errors import ArgumentError
from evstore.interrupts import interrupts_held


def pack(
    source: Any,
    folder: str | os.PathLike[str],
    *,
    layout: str | None = None,
    split: str | None = None,
    shard_bytes: int = SHARD_BYTES,
    jobs: int = 1,
    preset: str = DEFAULT_PRESET,
    on_error: str = "stop",
    overwrite: bool = False,
    verify: bool = False,
    grow: bool = False,
    drop_outside: bool = False,
    untrusted: bool = False,
    on_receipt: Callable[[PackReceipt, int], None] | None = None,
    **reading: Any,
) -> PackReport:
    """Pack recordings into shards of about ``shard_bytes`` and a manifest.

    ``source``: a folder tree (labels are the names of folders), a CSV or Parquet list of files, a
    shard or a folder of them, what a `Found` lists, or a dataset object of tonic's shape (then
    ``split`` names its recordings' split); ``layout`` names a known dataset. ``reading`` says what
    files cannot say of themselves: arguments of `evstore.open` (resolution, columns ...). Run it
    again after it was interrupted or killed: shards that are whole are kept, nothing comes twice.
    ``jobs`` processes work side by side. ``on_error``: "stop" at the first recording that fails,
    or "skip" it; every one is in the report. ``overwrite`` replaces another dataset in the folder.
    The manifest is written last. ``on_receipt`` gets each shard's receipt, and how many there are.

    Raises ArgumentError; errors of recordings are in the report.

    >>> pack("nmnist/", "nmnist-evs/", layout="nmnist")                       # doctest: +SKIP
    """
    arrow("`evstore pack`")
    if jobs < 1:
        raise ArgumentError(f"jobs must be 1 or more, got {jobs}")
    options = PackOptions(preset, grow, drop_outside, untrusted, verify, on_error)
    target = os.fspath(folder)
    if not isinstance(source, (str, os.PathLike, Found)):
        from evstore.datasets.packing.arrays import pack_arrays
        from evstore.datasets.packing.tonic_source import find_tonic

        arrays = find_tonic(source, split)
        return pack_arrays(arrays, target, options, shard_bytes, overwrite, on_receipt)
    if split is not None:
        raise ArgumentError("a split is named for a dataset object; files have theirs in a list")
    found = source if isinstance(source, Found) else find(source, layout, reading)
    todo = plan_shards(found, target, options, shard_bytes, layout)
    strangers = _strangers(todo, target)
    if strangers and not overwrite:
        raise ArgumentError(
            f"{target}: holds {len(strangers)} shards that are not of this dataset, as it is "
            f"packed now: {os.path.basename(strangers[0])} ... --overwrite removes them"
        )
    report = PackReport(target, orphans=list(found.orphans))
    if _run(todo, options, jobs, report, on_receipt):
        report.manifest = _finish(todo, strangers, report)
    return report


def find(
    source: str | os.PathLike[str],
    layout: str | None = None,
    reading: Mapping[str, Any] | None = None,
) -> Found:
    """What there is to pack in a folder, a list or a shard; ``reading`` as in `pack`."""
    path = os.fspath(source)
    if not os.path.exists(path):
        raise ArgumentError(f"{path}: no such file or folder")
    if layout is not None:
        from evstore.datasets.packing.layouts import find_layout

        if reading:
            raise ArgumentError(
                f"a known layout says how it is read: leave out {', '.join(reading)}"
            )
        return find_layout(layout, path)
    if os.path.isfile(path) and os.path.splitext(path)[1].lower() in (".csv", ".parquet"):
        from evstore.datasets.packing.table import find_table

        return find_table(path, reading)
    from evstore.datasets.packing.shards import find_shards, holds_shards_only

    if holds_shards_only(path):
        return find_shards(path)
    from evstore.datasets.packing.tree import find_tree

    return find_tree(path, reading)


def _strangers(todo: Sequence[PackJob], folder: str) -> list[str]:
    """Shards in the folder that would not be of the dataset."""
    if not os.path.isdir(folder):
        return []
    ours = {os.path.basename(job.target) for job in todo}
    names = sorted(name for name in os.listdir(folder) if name.endswith(".evs"))
    return [os.path.join(folder, name) for name in names if name not in ours]


def _run(
    todo: Sequence[PackJob],
    options: PackOptions,
    n_processes: int,
    report: PackReport,
    on_receipt: Callable[[PackReceipt, int], None] | None,
) -> bool:
    """Write every shard; whether none failed for good."""

    def take(receipt: PackReceipt) -> bool:
        report.receipts.append(receipt)
        if on_receipt is not None:
            on_receipt(receipt, len(todo))
        return receipt.status != "failed" or options.on_error == "skip"

    if n_processes == 1 or len(todo) == 1:
        for job in todo:
            if not take(pack_one(job, options)):
                break
    else:
        work = partial(pack_one, options=options)
        run_pool(todo, work, _killed, min(n_processes, len(todo)), take)
    # A shard of which all recordings failed is none; the manifest does without it.
    lost = [r for r in report.receipts if r.status == "failed" and r.error is not None]
    stopped = len(report.receipts) < len(todo)
    failed = any(r.status == "failed" for r in report.receipts) and options.on_error == "stop"
    return not (lost or stopped or failed)


def _killed(job: PackJob, why: str) -> PackReceipt:
    return PackReceipt(job.target, "failed", error=why)


def _finish(todo: Sequence[PackJob], strangers: Sequence[str], report: PackReport) -> str:
    """Remove what is not of the dataset, and write the manifest of what is."""
    with interrupts_held():
        manifest = os.path.join(report.folder, NAME)
        if strangers and os.path.exists(manifest):
            os.remove(manifest)  # it names shards that are going
        for path in strangers:
            os.remove(path)
    paths = [job.target for job in todo if os.path.exists(job.target)]
    about: dict[str, Any] = {k: v for k, v in todo[0].about.items() if k != "classes"}
    made = index_shards(paths, report.folder, todo[0].about.get("classes"), about)
    return os.fspath(write_manifest(made, report.folder))
