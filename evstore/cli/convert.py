"""evstore convert"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from evstore.cli import failures, printing
from evstore.cli.converting import carry_out
from evstore.cli.input_flags import input_flags
from evstore.cli.selection_flags import selection_flags
from evstore.codec.presets import DEFAULT_PRESET, PRESETS
from evstore.selection import Selection

if TYPE_CHECKING:
    from evstore.conversion import Job

SHOWN = 10  # names of files that are left out


@click.command("convert")
@click.argument("sources", metavar="SRC...", nargs=-1, required=True)
@click.argument("target", metavar="DST")
@click.option(
    "--preset",
    type=click.Choice(list(PRESETS)),
    default=DEFAULT_PRESET,
    show_default=True,
    help="balanced: small; fast: larger, and faster to read.",
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
    from evstore.conversion import Options, plan

    chosen = Options(selection=selection, **said, **options)
    left_out: list[str] = []
    todo = plan(list(sources), target, chosen, left_out)
    _say_left_out(left_out)
    if dry_run:
        return _print_plan(todo, as_json)
    return carry_out(todo, chosen, jobs=jobs, on_error=on_error, as_json=as_json)


def _say_left_out(paths: list[str]) -> None:
    """Files of a folder that are not converted must not go unseen: originals may be deleted."""
    if paths:
        more = f" and {len(paths) - SHOWN:,} more" if len(paths) > SHOWN else ""
        files, names = printing.count(len(paths), "file"), ", ".join(paths[:SHOWN])
        click.echo(
            f"evstore: {files} left out, no events in a format it reads: {names}{more}",
            err=True,
        )


def _print_plan(todo: list[Job], as_json: bool) -> int:
    if as_json:
        printing.echo_json([{"source": job.source, "target": job.target} for job in todo])
        return failures.DONE
    for job in todo:
        there = " (exists)" if os.path.exists(job.target) else ""
        printing.echo(f"{job.source} -> {job.target}{there}")
    return failures.DONE
