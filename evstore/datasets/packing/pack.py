"""`evstore pack`: recordings of any kind become one dataset."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from evstore.codec.presets import DEFAULT_PRESET
from evstore.conversion.pool import run_pool
from evstore.datasets.indexing import index_shards
from evstore.datasets.manifest import NAME, arrow, write_manifest
from evstore.datasets.packing.item import Found
from evstore.datasets.packing.job import SHARD_BYTES, PackJob, PackOptions, PackReceipt, PackReport
from evstore.datasets.packing.one import pack_one
from evstore.datasets.packing.plan import plan_shards
from evstore.datasets.packing.strangers import strangers_in
from evstore.datasets.splitting import apply_rule, rule_of
from evstore.errors import ArgumentError, FormatError
from evstore.interrupts import interrupts_held
from evstore.shard.address import split_address


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
    if not isinstance(source, (str, os.PathLike, Found)):
        from evstore.datasets.packing.arrays import pack_arrays
        from evstore.datasets.packing.tonic_source import find_tonic

        arrays = find_tonic(source, split)
        return pack_arrays(arrays, os.fspath(folder), options, shard_bytes, overwrite, on_receipt)
    if split is not None:
        raise ArgumentError("a split is named for a dataset object; files have theirs in a list")
    plan = plan_pack(
        source, folder, options, layout=layout, shard_bytes=shard_bytes, reading=reading
    )
    if plan.strangers and not overwrite:
        raise ArgumentError(
            f"{plan.folder}: holds {len(plan.strangers)} shards that are not of this dataset, as "
            f"it is packed now: {os.path.basename(plan.strangers[0])} ... --overwrite removes them"
        )
    report = PackReport(plan.folder, orphans=list(plan.found.orphans))
    if _run(plan.jobs, options, jobs, report, on_receipt):
        report.manifest = _finish(plan)
    return report


class PackPlan(NamedTuple):
    """What would be packed. ``strangers``: shards in the folder that are not of the dataset."""

    folder: str
    found: Found
    jobs: list[PackJob]
    strangers: list[str]


def plan_pack(
    source: str | os.PathLike[str] | Found,
    folder: str | os.PathLike[str],
    options: PackOptions,
    *,
    layout: str | None = None,
    shard_bytes: int = SHARD_BYTES,
    reading: Mapping[str, Any] | None = None,
) -> PackPlan:
    """What `pack` would do; nothing is written. Raises ArgumentError as it does."""
    target = os.fspath(folder)
    said = dict(reading or {})
    if isinstance(source, Found):
        items = [replace(item, reading={**item.reading, **said}) for item in source.items]
        found = replace(source, items=items)
    else:
        found = find(source, layout, said)
    _check_apart(target, found, None if layout or isinstance(source, Found) else source)
    todo = plan_shards(found, target, options, shard_bytes, layout)
    ids = {item.id for item in found.items}
    return PackPlan(target, found, todo, strangers_in(target, [job.target for job in todo], ids))


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
        if reading:
            raise ArgumentError(f"shards say how they are read: leave out {', '.join(reading)}")
        return find_shards(path)
    from evstore.datasets.packing.tree import find_tree

    return find_tree(path, reading)


def _check_apart(target: str, found: Found, searched: str | os.PathLike[str] | None) -> None:
    """Raise where sources lie among the shards, or shards would be found in a folder ``searched``
    for recordings of any kind."""
    folder = os.path.join(os.path.realpath(target), "")
    folders = {os.path.dirname(split_address(item.source)[0]) for item in found.items}
    inside = any(os.path.join(os.path.realpath(one), "").startswith(folder) for one in folders)
    if searched is not None and os.path.isdir(searched):
        inside = inside or folder.startswith(os.path.join(os.path.realpath(searched), ""))
    if inside:
        raise ArgumentError(f"{target}: a dataset needs a folder apart from that of its sources")


def _run(
    todo: Sequence[PackJob],
    options: PackOptions,
    n_processes: int,
    report: PackReport,
    on_receipt: Callable[[PackReceipt, int], None] | None,
) -> bool:
    """Write every shard; whether there is a dataset of what came of it."""

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
    failed = [r for r in report.receipts if r.status == "failed"]
    lost = [r for r in failed if r.error is not None or options.on_error == "stop"]
    return not lost and len(failed) < len(report.receipts) == len(todo)


def _killed(job: PackJob, why: str) -> PackReceipt:
    return PackReceipt(job.target, "failed", error=why)


def _finish(plan: PackPlan) -> str:
    """Remove what is not of the dataset, and write the manifest of what is."""
    ours = [os.path.normpath(job.target) for job in plan.jobs]
    rule = None
    if not plan.strangers:
        with contextlib.suppress(FormatError):  # a damaged one; it is replaced
            rule = rule_of(plan.folder)
    with interrupts_held():
        manifest = os.path.join(plan.folder, NAME)
        if plan.strangers and os.path.exists(manifest):
            os.remove(manifest)  # it names shards that are going
        for path in plan.strangers:
            if os.path.normpath(path) not in ours:
                os.remove(path)
    paths = [path for path in ours if os.path.exists(path)]
    said = dict(plan.jobs[0].about)
    made = index_shards(paths, plan.folder, said.pop("classes", None), said)
    if rule is not None:
        made = apply_rule(made, rule)
    return os.fspath(write_manifest(made, plan.folder))
