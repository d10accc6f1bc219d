"""evstore digest"""

from __future__ import annotations

import contextlib
from typing import Any

import click

from evstore.cli import printing
from evstore.cli.input_flags import input_flags
from evstore.cli.selection_flags import selection_flags
from evstore.selection import Selection


@click.command("digest")
@click.argument("path", metavar="FILE")
@click.option("--json", "as_json", is_flag=True, help="Print the digest as JSON.")
@selection_flags
@input_flags
def command(
    path: str,
    as_json: bool,
    selection: Selection,
    recording: str | None,
    said: dict[str, Any],
) -> None:
    """Print digests that are equal where the events are.

    SHA-256 of each column as little-endian int64 (t), uint16 (x, y) and uint8 (p), of any file
    that evstore reads: two files hold the same events in the same order where all four agree.
    """
    from evstore.digests import digest
    from evstore.recording.opening import open_all

    found = []
    with contextlib.ExitStack() as opened:
        recordings = open_all(path, recording=recording, **said)
        for one in recordings:
            opened.callback(one.close)
        for one in recordings:
            found.append({"recording": one.id, **digest(one, selection)})
            if not as_json:
                _print(found[-1], len(recordings) > 1)
    if not as_json:
        return
    if len(found) == 1:
        del found[0]["recording"]
    printing.echo_json(found[0] if len(found) == 1 else found)


def _print(found: dict[str, Any], named: bool) -> None:
    if named:
        printing.echo(f"{found['recording']}:")
    size = (found["width"], found["height"]) if found["width"] else None
    printing.fields(
        [
            ("events", f"{found['events']:,} ({found['on_events']:,} ON)"),
            ("times", f"{found['t_first']} to {found['t_last']} us" if found["events"] else ""),
            ("resolution", printing.resolution(size)),
            *found["sha256"].items(),
        ],
        "  " if named else "",
    )
