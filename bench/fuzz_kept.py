"""Copies that a fuzzed process leaves on disk: those that show a fault, and the one it is at."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path
from typing import NamedTuple

from evstore.formats.conformance_case import Case

LENGTHS = struct.Struct("<II")


class Entry(NamedTuple):
    """Content, and the file whose way of being read it has."""

    case: Case
    content: bytes


def keep(path: Path, content: bytes, how: bytes) -> None:
    """Put a copy where `conformance_case.case` finds it, and how to read it beside it."""
    path.write_bytes(content)
    path.with_suffix(".json").write_bytes(how)


def how_to_read(case: Case) -> bytes:
    said = case.expected
    return json.dumps({k: said[k] for k in ("input_format", "options") if k in said}).encode()


def note(file: int, entry: Entry) -> None:
    """Write over the last copy in an open file. To make a new one, or cut it, is far slower."""
    how = how_to_read(entry.case)
    os.pwrite(file, LENGTHS.pack(len(how), len(entry.content)) + how + entry.content, 0)


def noted(path: Path) -> tuple[bytes, bytes]:
    """(content, how to read it) of the copy that was noted last."""
    octets = path.read_bytes()
    how, size = LENGTHS.unpack_from(octets)
    start = LENGTHS.size + how
    return octets[start : start + size], octets[LENGTHS.size : start]
