"""evstore convert"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from evstore.cli import failures, printing
from evstore.cli.input_flags import input_flags
from evstore.cli.selection_flags import selection_flags
from evstore.codec.presets import DEFAULT_PRESET, PRESETS
from evstore.selection import Selection

if TYPE_CHECKING:
    from evstore.cli.progress import Progress
    from evstore.conversion import Job, Receipt

SHOWN = 10  # names of files that are left out


@click.command("convert")
@click.argument("sources", metavar="SRC...", nargs=-1, required=True)
@click.argument("target", metavar="DST")
@click.option(
    "--preset",
    type=click.Choice(list(PRESETS)),
    default=DEFAULT_PRESET,
    show_default=True,
    help="Small, or larger and faster to read.",
)
@click.option(
    "--output-format",
    metavar="NAME",
    help="Write this format (see `evstore formats`); else by DST's suffix.",
)
@click.option("--rebase", is_flag=True, help="Count times from the first event (not for evs).")
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True, help="Processes.")
@click.option("--resume", is_flag=True, help="Leave finished targets as they are.")
@click.option("--overwrite", is_flag=True, help="Replace targets that exist.")
@click.option("--verify", is_flag=True, help="Decode what was written and compare.")
@click.option(
    "--delete-source",
    is_flag=True,
    help="Delete each source after --verify, where nothing of it was dropped.",
)
@click.option(
    "--on-error",
    type=click.Choice(["stop", "skip"]),
    default="stop",
    show_default=True,
    help="After a failure stop, or skip that file.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.option("--json", "as_json", is_flag=True, help="Print receipts as JSON.")
@selection_flags
@input_flags
def command(
    sources: tuple[str, ...],
    target: str,
    selection: Selection,
    said: dict[str, Any],
    jobs: int,
    on_error: str,
    dry_run: bool,
    as_json: bool,
    **options: Any,
) -> int:
    """Turn recordings into checked, time-indexed shards.

    SRC is files, folders (DST gets the same tree), globs, or - for standard input; what a file
    is, its content tells. DST is a file, or a folder where there are several. Nothing is
    overwritten unasked, and nothing half-made is left behind.

    \b
        evstore convert drive.raw drive.evs
        evstore convert recordings/ shards/ --verify --jobs 4
    """
    from evstore.cli.progress import Progress
    from evstore.conversion import Options, plan, run

    chosen = Options(selection=selection, **said, **options)
    left_out: list[str] = []
    todo = plan(list(sources), target, chosen, left_out)
    _say_left_out(left_out)
    if dry_run:
        return _print_plan(todo, as_json)
    progress = Progress(todo)
    shown = _Shown(progress, quiet=as_json, delete=chosen.delete_source)
    try:
        receipts = run(todo, chosen, jobs, on_error, shown.receipt, progress.tell)
    except KeyboardInterrupt:
        progress.clear()
        _say_how_to_resume(todo, shown.receipts)
        return failures.INTERRUPTED
    progress.clear()
    if as_json:
        printing.echo_json(_summary(todo, receipts))
    elif len(todo) > 1:
        _print_total(todo, receipts)
    return _code(receipts)


def _say_left_out(paths: list[str]) -> None:
    """Files of a folder that are not converted must not go unseen: originals may be deleted."""
    if paths:
        more = f" and {len(paths) - SHOWN:,} more" if len(paths) > SHOWN else ""
        files = printing.count(len(paths), "file")
        click.echo(
            f"evstore: {files} left out, of no format it reads: {', '.join(paths[:SHOWN])}{more}",
            err=True,
        )


class _Shown:
    """Prints each receipt as it comes."""

    def __init__(self, progress: Progress, quiet: bool, delete: bool) -> None:
        self.receipts: list[Receipt] = []
        self._progress = progress
        self._quiet = quiet
        self._delete = delete

    def receipt(self, receipt: Receipt) -> None:
        self.receipts.append(receipt)
        self._progress.finish(receipt)
        self._progress.clear()
        if receipt.status == "failed":
            failures.say(receipt.error or "failed")
        elif not self._quiet:
            _print_receipt(receipt, self._delete)


def _print_receipt(receipt: Receipt, delete: bool) -> None:
    line = f"{receipt.source} -> {receipt.target}: "
    if receipt.status == "skipped":
        printing.echo(f"{line}done already")
        return
    said = [printing.count(receipt.events, "event")]
    if receipt.recordings != 1:
        said.append(printing.count(receipt.recordings, "recording"))
    if receipt.triggers:
        said.append(printing.count(receipt.triggers, "trigger"))
    others = {k: v for k, v in receipt.side_streams.items() if k not in ("triggers", "image_bytes")}
    said += [f"{rows:,} rows of {stream}" for stream, rows in others.items()]
    sizes = printing.size(receipt.bytes_out)
    if receipt.bytes_in:
        sizes = f"{printing.size(receipt.bytes_in)} -> {sizes}"
    said.append(sizes)
    if receipt.events:
        said.append(f"{8 * receipt.bytes_out / receipt.events:.1f} bits/event")
    said.append(f"{receipt.seconds:.1f} s")
    if receipt.verified:
        said.append("verified")
    if receipt.restored:
        said.append(f"the original restored {receipt.restored}")
    if receipt.deleted_source:
        said.append("source deleted")
    printing.echo(line + ", ".join(said))
    if receipt.dropped:
        printing.echo(f"  not kept: {printing.dropped(receipt.dropped)}")
    if delete and not receipt.deleted_source:
        printing.echo("  source not deleted: not all of it is in the target")


def _print_total(todo: list[Job], receipts: list[Receipt]) -> None:
    s = _summary(todo, receipts)
    parts = [f"{s[status]:,} {status}" for status in ("done", "skipped", "failed") if s[status]]
    if s["not_tried"]:
        parts.append(f"{s['not_tried']:,} not tried")
    sizes = f"{printing.size(s['bytes_in'])} -> {printing.size(s['bytes_out'])}"
    printing.echo(f"{', '.join(parts)}: {printing.count(s['events'], 'event')}, {sizes}")


def _print_plan(todo: list[Job], as_json: bool) -> int:
    if as_json:
        printing.echo_json([{"source": job.source, "target": job.target} for job in todo])
        return failures.DONE
    for job in todo:
        there = " (exists)" if os.path.exists(job.target) else ""
        printing.echo(f"{job.source} -> {job.target}{there}")
    return failures.DONE


def _summary(todo: list[Job], receipts: list[Receipt]) -> dict[str, Any]:
    counted = {
        status: sum(r.status == status for r in receipts)
        for status in ("done", "skipped", "failed")
    }
    return {
        **counted,
        "not_tried": len(todo) - len(receipts),
        "events": sum(r.events for r in receipts),
        "bytes_in": sum(r.bytes_in for r in receipts),
        "bytes_out": sum(r.bytes_out for r in receipts),
        "receipts": [r.to_json() for r in receipts],
    }


def _code(receipts: list[Receipt]) -> int:
    kinds = [r.error_kind or "" for r in receipts if r.status == "failed"]
    if "VerificationError" in kinds:
        return failures.UNVERIFIED
    if not kinds:
        return failures.DONE
    if len(kinds) < len(receipts):
        return failures.PARTIAL
    return failures.CODES.get(kinds[0], failures.FAILED)


def _say_how_to_resume(todo: list[Job], receipts: list[Receipt]) -> None:
    """The exact command that goes on from here."""
    done = sum(r.status != "failed" for r in receipts)
    failures.say(f"interrupted: {done:,} of {len(todo):,} done, nothing half-made is left")
    if any(job.source == "-" for job in todo):
        for job in todo:
            if os.path.exists(f"{job.target}.part"):
                again = printing.shell(["recover", f"{job.target}.part", job.target])
                click.echo(f"What was read of standard input is kept:\n  {again}", err=True)
        return
    given = [a for a in click.get_current_context().obj if a not in ("--overwrite", "--resume")]
    at = given.index("--") if "--" in given else len(given)
    again = printing.shell([*given[:at], "--resume", *given[at:]])
    click.echo(f"Resume with:\n  {again}", err=True)
