"""evstore recover"""

from __future__ import annotations

from typing import Any

import click

from evstore.cli import failures, printing
from evstore.cli.input_flags import input_flags


@click.command("recover")
@click.argument("source", metavar="SRC")
@click.argument("target", metavar="DST")
@click.option("--overwrite", is_flag=True, help="Replace DST if it exists.")
@click.option("--json", "as_json", is_flag=True, help="Print what was saved as JSON.")
@input_flags
def command(source: str, target: str, overwrite: bool, as_json: bool, said: dict[str, Any]) -> int:
    """Save what is whole of a damaged or cut file.

    Of a shard (or what a killed writer left as .part) every complete chunk is saved, of a
    foreign file every event before the place where it ends. SRC is only read. Exits with 3
    where something is lost.
    """
    from dataclasses import asdict

    import evstore

    found = evstore.recover(source, target, overwrite=overwrite, **said)
    if as_json:
        printing.echo_json({"target": target, **asdict(found), "complete": found.complete})
    else:
        printing.echo(
            f"{source} -> {target}: {printing.count(found.events, 'event')} saved, "
            f"{printing.count(found.recordings, 'recording')}, "
            f"{printing.count(found.chunks, 'chunk')}"
        )
        for problem in found.problems:
            printing.echo(f"  {problem}")
        for id in found.unfinished[:10]:
            name = f"recording {id!r}" if id else "the recording"
            printing.echo(f"  the end of {name} was not found: more may be lost")
        if len(found.unfinished) > 10:
            printing.echo(f"  and of {len(found.unfinished) - 10:,} more")
        if found.lost_events:
            printing.echo(f"  {printing.count(found.lost_events, 'event')} known to be lost")
    return failures.DONE if found.complete else failures.PARTIAL
