"""Conversions carried out from the command line: progress, receipts, and how to resume."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from evstore.cli import failures, printing

if TYPE_CHECKING:
    from evstore.cli.progress import Progress
    from evstore.conversion import Job, Options, Receipt


def carry_out(
    todo: list[Job],
    options: Options,
    *,
    jobs: int = 1,
    on_error: str = "stop",
    as_json: bool = False,
) -> int:
    """Run the conversions, print what was done, and give the exit code."""
    from evstore.cli.progress import Progress
    from evstore.conversion import run

    progress = Progress(todo)
    shown = _Shown(progress, quiet=as_json, delete=options.delete_source)
    try:
        receipts = run(todo, options, jobs, on_error, shown.receipt, progress.tell)
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
    if receipt.hot_pixels is not None:
        where = f" in {receipt.recordings:,} recordings" if receipt.recordings != 1 else ""
        printing.echo(f"{printing.count(receipt.hot_pixels, 'hot pixel')} found{where}")
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
