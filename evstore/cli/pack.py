"""evstore pack"""

from __future__ import annotations

import csv
import os
from typing import TYPE_CHECKING, Any

import click

from evstore.cli import failures, printing
from evstore.cli.input_flags import input_flags
from evstore.cli.selection_flags import parsed
from evstore.codec.presets import DEFAULT_PRESET, PRESETS
from evstore.datasets.packing.layouts import LAYOUTS

if TYPE_CHECKING:
    from evstore.datasets.packing.job import PackReceipt, PackReport
    from evstore.datasets.packing.pack import PackPlan

SHOWN = 5  # orphans, and recordings that failed


@click.command("pack")
@click.argument("source", metavar="SOURCE")
@click.argument("folder", metavar="FOLDER")
@click.option(
    "--layout",
    type=click.Choice(list(LAYOUTS)),
    help="SOURCE is this dataset, as its archives unpack; with its official splits.",
)
@click.option(
    "--shard-size",
    "shard_bytes",
    metavar="SIZE",
    default="256MiB",
    show_default=True,
    callback=parsed(printing.parse_size),
    help="Bytes of a shard, about.",
)
@click.option(
    "--preset",
    type=click.Choice(list(PRESETS)),
    default=DEFAULT_PRESET,
    show_default=True,
    help="balanced: small; fast: larger, and faster to read.",
)
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True, help="Processes.")
@click.option(
    "--on-error",
    type=click.Choice(["stop", "skip"]),
    default="stop",
    show_default=True,
    help="At a recording that fails stop, or leave it out.",
)
@click.option("--overwrite", is_flag=True, help="Replace another dataset in FOLDER.")
@click.option("--verify", is_flag=True, help="Check every shard when it is written.")
@click.option(
    "--orphans",
    "orphans_file",
    metavar="FILE",
    type=click.Path(dir_okay=False),
    help="Write to this CSV which files were left out, and why.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would be packed.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@input_flags
def command(
    source: str,
    folder: str,
    said: dict[str, Any],
    orphans_file: str | None,
    dry_run: bool,
    as_json: bool,
    **options: Any,
) -> int:
    """Pack many recordings into the shards of one dataset.

    SOURCE is a folder tree (its folders are classes, the first of them may be train or test), a
    CSV or Parquet list (column path; id, split, label, group, start, stop and your own are
    optional), a shard or a folder of shards, or what --layout names. FOLDER gets shards and
    manifest.parquet, which is written last: run the same command again after an interruption,
    and shards that are whole are kept.

    \b
        evstore pack nmnist/ nmnist-evs/ --layout nmnist --jobs 4
        evstore pack list.csv drives/ --shard-size 1GB --on-error skip
    """
    how = {name: said.pop(name) for name in ("grow", "drop_outside", "untrusted")}
    said = {name: value for name, value in said.items() if value is not None}
    if dry_run:
        return _plan(source, folder, said, {**options, **how}, orphans_file, as_json)
    from evstore.cli.progress import ShardProgress
    from evstore.datasets.packing.pack import pack

    progress = ShardProgress()
    try:
        report = pack(source, folder, on_receipt=progress.receipt, **options, **how, **said)
    except KeyboardInterrupt:
        progress.clear()
        _say_how_to_go_on(progress)
        return failures.INTERRUPTED
    progress.clear()
    _write_orphans(report.orphans, orphans_file)
    if as_json:
        printing.echo_json({**report.to_json(), **_contents(report)})
    else:
        _print(report)
    _say_failures(report)
    return _code(report, source)


def _plan(
    source: str,
    folder: str,
    reading: dict[str, Any],
    options: dict[str, Any],
    orphans_file: str | None,
    as_json: bool,
) -> int:
    from evstore.datasets.packing.job import PackOptions
    from evstore.datasets.packing.pack import plan_pack

    how = {name: options[name] for name in ("layout", "shard_bytes")}
    chosen = {k: v for k, v in options.items() if k not in (*how, "jobs", "overwrite")}
    plan = plan_pack(source, folder, PackOptions(**chosen), reading=reading, **how)
    _write_orphans(plan.found.orphans, orphans_file)
    if as_json:
        printing.echo_json(_plan_json(plan))
        return failures.DONE
    splits = _counted(item.split for item in plan.found.items)
    printing.fields(
        [
            ("recordings", f"{len(plan.found.items):,}"),
            ("splits", _counts(splits)),
            ("classes", _classes(plan.found.classes)),
            ("shards", f"{len(plan.jobs):,}, {plan.jobs[0].target} ..."),
            ("in the way", ", ".join(plan.strangers[:SHOWN])),
        ]
    )
    _print_orphans(plan.found.orphans)
    return failures.DONE


def _plan_json(plan: PackPlan) -> dict[str, Any]:
    shards = [
        {"target": job.target, "items": [{"id": i.id, "source": i.source} for i in job.items]}
        for job in plan.jobs
    ]
    return {
        "folder": plan.folder,
        "recordings": len(plan.found.items),
        "classes": plan.found.classes,
        "shards": shards,
        "strangers": plan.strangers,
        "orphans": plan.found.orphans,
    }


def _contents(report: PackReport) -> dict[str, Any]:
    """Splits and classes, of the manifest where there is one."""
    if report.manifest is None:
        return {"splits": {}, "classes": None}
    from evstore.datasets.manifest import read_manifest

    manifest = read_manifest(report.folder)
    first = [part == 0 for part in manifest.values("part")]
    splits = [s for s, counts in zip(manifest.values("split"), first, strict=True) if counts]
    return {"splits": _counted(splits), "classes": manifest.classes}


def _counted(names: Any) -> dict[str, int]:
    from collections import Counter

    return dict(sorted(Counter("(none)" if name is None else name for name in names).items()))


def _counts(splits: dict[str, int]) -> str:
    if set(splits) <= {"(none)"}:
        return ""
    return ", ".join(f"{name} {count:,}" for name, count in splits.items())


def _classes(classes: list[str] | None) -> str:
    if not classes:
        return ""
    more = ", ..." if len(classes) > 2 * SHOWN else ""
    return f"{len(classes):,}: {', '.join(classes[: 2 * SHOWN])}{more}"


def _print(report: PackReport) -> None:
    done = sum(r.status == "done" for r in report.receipts)
    skipped = sum(r.status == "skipped" for r in report.receipts)
    size_in, size_out = report.total("bytes_in"), report.total("bytes_out")
    sizes = f"{printing.size(size_in)} -> {printing.size(size_out)}"
    if size_in and size_out:
        sizes += f", {size_in / size_out:.2f} times smaller"
    events = report.total("events")
    if events:
        sizes += f", {8 * size_out / events:.1f} bits/event"
    shards = f"{done:,} written" + (f", {skipped:,} were there already" if skipped else "")
    verified = done + skipped > 0 and all(r.verified for r in report.receipts)
    contents = _contents(report)
    printing.echo(f"{report.folder}: " + ("packed" if report.manifest else "not a dataset yet"))
    printing.fields(
        [
            ("recordings", f"{report.total('recordings'):,}"),
            ("events", f"{events:,}"),
            ("splits", _counts(contents["splits"])),
            ("classes", _classes(contents["classes"])),
            ("shards", shards + (", verified" if verified else "")),
            ("size", sizes),
            ("not kept", printing.dropped(report.dropped)),
            ("left out", f"{len(report.failed):,} failed" if report.failed else ""),
        ],
        "  ",
    )
    _print_orphans(report.orphans)


def _print_orphans(orphans: list[tuple[str, str]]) -> None:
    """Files that are in no recording must not go unseen."""
    if not orphans:
        return
    printing.echo(f"{printing.count(len(orphans), 'file')} left out:")
    for path, why in orphans[:SHOWN]:
        printing.echo(f"  {path}: {why}")
    if len(orphans) > SHOWN:
        printing.echo(f"  and {len(orphans) - SHOWN:,} more: --orphans FILE or --json has all")


def _write_orphans(orphans: list[tuple[str, str]], path: str | None) -> None:
    if path is None:
        return
    with open(path, "w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        csv.writer(file).writerows([("path", "why"), *orphans])


def _say_failures(report: PackReport) -> None:
    for source, why in report.failed[:SHOWN]:
        failures.say(why if source in why else f"{source}: {why}")
    if len(report.failed) > SHOWN:
        click.echo(f"evstore: and {len(report.failed) - SHOWN:,} more: --json has all", err=True)


def _code(report: PackReport, source: str) -> int:
    """A list names recordings: one that it names and that is not there is missing."""
    if report.manifest is None:
        return failures.FAILED
    of_list = not os.path.isdir(source) and bool(report.orphans)
    lossy = report.failed or report.dropped or of_list
    return failures.PARTIAL if lossy else failures.DONE


def _say_how_to_go_on(progress: Any) -> None:
    told: list[PackReceipt] = progress.receipts
    whole = sum(r.status != "failed" for r in told)
    of = f" of {progress.total:,}" if progress.total else ""
    failures.say(f"interrupted: {whole:,}{of} shards are whole, nothing half-made is left")
    again = printing.shell(click.get_current_context().obj)
    click.echo(f"Go on with:\n  {again}", err=True)
