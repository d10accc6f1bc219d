"""evstore cat"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any, BinaryIO

import click

from evstore.cli.input_flags import input_flags
from evstore.cli.selection_flags import selection_flags
from evstore.errors import ArgumentError
from evstore.selection import Selection

FORMATS = ("csv", "ndjson", "npz")


@click.command("cat")
@click.argument("path", metavar="FILE")
@click.option(
    "--format",
    "kind",
    type=click.Choice(FORMATS),
    help="What to print; else by the suffix of --output, else csv.",
)
@click.option("-o", "--output", metavar="PATH", help="Write to a file instead of stdout.")
@click.option("--overwrite", is_flag=True, help="Replace the output if it exists.")
@selection_flags
@input_flags
def command(
    path: str,
    kind: str | None,
    output: str | None,
    overwrite: bool,
    selection: Selection,
    recording: str | None,
    said: dict[str, Any],
) -> None:
    """Print events as csv, ndjson or npz.

    Times are whole microseconds, p is 1 for ON and 0 for OFF.

    \b
        evstore cat drive.evs --start 1.5s --end 1.51s | head
        evstore cat drive.evs --roi 0,0,320,240 -o corner.npz
    """
    import evstore

    if kind is None:
        suffix = os.path.splitext(output or "")[1].lower().lstrip(".")
        kind = suffix if suffix in FORMATS else "csv"
    if output is None and kind == "npz" and sys.stdout.isatty():
        raise ArgumentError("npz is binary: send it to a file with --output, or into a pipe")
    with evstore.open(path, recording=recording, **said) as opened:
        # Foreign files: a resolution that must be inferred is known only after the events.
        known = None if opened.geometry_inferred and opened.format != "evs" else opened.resolution
        with _stream(output, overwrite) as stream, _writer(kind, stream, known) as writer:
            for events in opened.batches(selection):
                writer.write(events.t, events.x, events.y, events.p)


@contextlib.contextmanager
def _stream(output: str | None, overwrite: bool) -> Iterator[BinaryIO]:
    """Standard output, or a file that takes its name when it is whole."""
    if output is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    from evstore.interrupts import interrupts_held
    from evstore.shard.output import PartFile

    target: PartFile | None = None
    try:
        with interrupts_held():
            target = PartFile(output, overwrite)
            target.close()
        with open(target.part, "wb") as stream:
            yield stream
        os.replace(target.part, target.path)
    except BaseException as error:
        if target is not None:
            target.discard()
        if isinstance(error, OSError) and error.filename is None:
            error.filename = output  # a full disk does not say where
        raise


@contextlib.contextmanager
def _writer(kind: str, stream: BinaryIO, resolution: tuple[int, int] | None) -> Iterator[Any]:
    if kind == "ndjson":
        yield _Ndjson(stream)
        return
    from evstore.formats import csv, npz

    module = npz if kind == "npz" else csv
    writer = module.writer(stream, resolution, {})
    try:
        yield writer
    except BaseException:
        if kind == "npz":
            writer.discard()
        raise
    writer.close()


class _Ndjson:
    """One JSON object a line."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def write(self, t: Any, x: Any, y: Any, p: Any) -> None:
        rows = zip(t.tolist(), x.tolist(), y.tolist(), p.tolist(), strict=True)
        lines = [f'{{"t":{a},"x":{b},"y":{c},"p":{d}}}\n' for a, b, c, d in rows]
        self._stream.write("".join(lines).encode("ascii"))
