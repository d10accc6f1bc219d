"""Read a file in another process: what its C library does wrong there, it does not do here."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, BinaryIO

from evstore import errors
from evstore.errors import ArgumentError, CorruptError, EvstoreError, FormatError
from evstore.formats.reading import Batch, Reading, ReadOptions, Triggers
from evstore.formats.untrusted.child import BASE_MEMORY
from evstore.formats.untrusted.frames import Columns, take

SECONDS = 60.0  # without a byte from it
MEMORY = 64 << 20  # bytes, and four times the file
BATCH = {"t": "int64", "x": "uint16", "y": "uint16", "p": "uint8"}
EDGES = {"t": "int64", "id": "uint8", "p": "uint8"}


class _Child:
    """The process, and what it sends."""

    def __init__(self, name: str, stream: BinaryIO, options: ReadOptions, what: str) -> None:
        path = getattr(stream, "name", None)
        if not isinstance(path, str):
            raise ArgumentError("a file that is not trusted is read by its name, not from a pipe")
        memory = BASE_MEMORY + MEMORY + 4 * os.path.getsize(path)
        arguments = [name, path, json.dumps(asdict(options)), what, str(memory)]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "evstore.formats.untrusted.child", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def take(self) -> tuple[str, dict[str, Any], Columns]:
        """The next (kind, what is said, columns); an error that was sent is raised."""
        said, tables = take(self._read)
        kind = said.pop("kind", None)
        if kind == "error":
            raise _error(said)
        return str(kind), said, tables

    def _read(self, size: int) -> bytes:
        assert self._process.stdout is not None
        pipe, parts = self._process.stdout.fileno(), bytearray()
        until = time.monotonic() + SECONDS
        while len(parts) < size:
            ready, _, _ = select.select([pipe], [], [], max(0.0, until - time.monotonic()))
            if not ready:
                raise CorruptError(f"reading it took more than {SECONDS:.0f} s without a result")
            piece = os.read(pipe, min(size - len(parts), 1 << 20))
            if not piece:
                raise self._died()
            parts += piece
            until = time.monotonic() + SECONDS
        return bytes(parts)

    def _died(self) -> CorruptError:
        code = self._process.wait()
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        return CorruptError(
            f"the process that read the file ended by {how}",
            hint="the file is damaged, or made to harm",
        )

    def close(self) -> None:
        """End it, whatever it is at."""
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


def streams(name: str, stream: BinaryIO, options: ReadOptions) -> list[str]:
    """What the module's `streams` gives."""
    with contextlib.closing(_Child(name, stream, options, "streams")) as child:
        return [str(found) for found in child.take()[1].get("names", [])]


def read(name: str, stream: BinaryIO, options: ReadOptions) -> Reading:
    """What the module's `read` gives, in bounded memory; raises what it raises.

    Where the process crashes, or says nothing for a minute, CorruptError.
    """
    child = _Child(name, stream, options, "read")
    try:
        _, said, _ = child.take()
        size = said.get("resolution")
        reading = Reading(
            str(said["format"]),
            None if size is None else (int(size[0]), int(size[1])),
            iter(()),
            dict(said["metadata"]),
            str(said["header"]).encode("latin-1"),
            dict(said["dropped"]),
            said["label"],
            {
                str(name): None if n is None else int(n)
                for name, n in (said.get("stated") or {}).items()
            },
        )
    except (AttributeError, KeyError, TypeError, ValueError, UnicodeError) as error:
        child.close()
        if isinstance(error, EvstoreError):
            raise
        raise CorruptError("the process that read the file sent no header") from None
    except BaseException:
        child.close()
        raise
    reading.batches = _batches(child, reading, options.batch_events)
    return reading


def _batches(child: _Child, reading: Reading, most: int) -> Iterator[Batch]:
    with contextlib.closing(child):
        while True:
            kind, said, tables = child.take()
            reading.dropped.update(said.get("dropped") or {})
            reading.metadata.update(said.get("metadata") or {})
            if kind == "end":
                return
            yield _batch(tables, most)


def _batch(tables: Columns, most: int) -> Batch:
    columns = tables.pop("", {})
    edges = tables.pop("triggers", None)
    count = len(columns.get("t", ()))
    good = _are(columns, BATCH) and count <= most and (edges is None or _are(edges, EDGES))
    good = good and all(len({len(c) for c in table.values()}) == 1 for table in tables.values())
    if not good or (count and columns["p"].max() > 1):
        raise CorruptError("the process that read the file sent columns that cannot be")
    triggers = None if edges is None else Triggers(**edges)
    return Batch(columns["t"], columns["x"], columns["y"], columns["p"], triggers, tables or None)


def _are(columns: dict[str, Any], kinds: dict[str, str]) -> bool:
    return {k: v.dtype.name for k, v in columns.items()} == kinds and (
        len({len(column) for column in columns.values()}) == 1
    )


def _error(said: dict[str, Any]) -> EvstoreError:
    kind = getattr(errors, str(said.pop("class", "")), None)
    what = str(said.pop("what", "unknown error"))
    if isinstance(kind, type) and issubclass(kind, FormatError):
        try:
            return kind(what, **said)
        except TypeError:
            return CorruptError(what)
    return ArgumentError(what) if kind is ArgumentError else CorruptError(what)
