"""What goes through the pipe from the process that parses: frames of JSON and of columns.

A frame is the length of its JSON (4 bytes), the JSON, then the columns that it names, one after
the other. Whoever reads them trusts nothing: lengths and dtypes are checked before memory is
taken for them.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evstore.errors import CorruptError
from evstore.events import dtype_name

MOST_JSON = 64 << 20  # bytes
MOST_COLUMN = 1 << 30  # bytes of a column
DTYPES = frozenset(
    (*("<i2", "<i4", "<i8", "<u2", "<u4", "<u8", "<f4", "<f8"), *("|i1", "|u1", "|b1"))
)

Columns = dict[str, dict[str, NDArray[Any]]]


def frame(said: Mapping[str, Any], tables: Columns) -> list[bytes]:
    """What to write: ``said``, JSON values, and tables of columns by name."""
    named: dict[str, list[list[Any]]] = {}
    parts: list[bytes] = []
    for table, columns in tables.items():
        named[table] = []
        for name, column in columns.items():
            little = np.ascontiguousarray(column, column.dtype.newbyteorder("<"))
            named[table].append([name, dtype_name(little.dtype), len(little)])
            parts.append(little.tobytes())
    head = json.dumps({**said, "tables": named}).encode()
    return [struct.pack("<I", len(head)), head, *parts]


def take(read: Callable[[int], bytes]) -> tuple[dict[str, Any], Columns]:
    """The next frame; ``read`` gives just so many bytes or raises. Raises CorruptError."""
    (size,) = struct.unpack("<I", read(4))
    if size > MOST_JSON:
        raise _wrong(f"{size} bytes of JSON")
    try:
        said = json.loads(read(size))
        named = said.pop("tables")
        listed = [
            (str(table), str(name), str(dtype), int(count))
            for table, columns in named.items()
            for name, dtype, count in columns
        ]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise _wrong("no JSON that can be") from None
    tables: Columns = {table: {} for table in map(str, named)}
    for table, name, dtype, count in listed:
        if dtype not in DTYPES or not 0 <= count * np.dtype(dtype).itemsize <= MOST_COLUMN:
            raise _wrong(f"column {name} of {count} {dtype}")
        octets = bytearray(read(count * np.dtype(dtype).itemsize))
        column = np.frombuffer(octets, dtype)  # writeable, since a bytearray is
        native = column.dtype.newbyteorder("=")
        tables[table][name] = column.astype(native, copy=False)
    return said, tables


def _wrong(what: str) -> CorruptError:
    return CorruptError(f"the process that read the file sent {what}")
