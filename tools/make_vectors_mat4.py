#!/usr/bin/env python3
"""Make the vectors of MAT v4 in formats/mat; make_vectors_mat.py writes the bad files, in one table.

Packs every byte with struct and states the expected events by hand, on its own. Run it from
anywhere; the output is always the same.
"""

# ruff: noqa: E501 (a bad file a line, as in the table it becomes)

from __future__ import annotations

import struct
from typing import Any

from vector_files import Event, vector

FEW: list[Event] = [(0, 0, 0, 0), (7, 1, 2, 1), (7, 1, 2, 1), (5, 303, 239, 0), (1000, 3, 4, 1)]
MANY: list[Event] = [
    (70_000 + 11 * k, k * 37 % 304, k * 91 % 240, k // 3 % 2 ^ k % 2) for k in range(90)
]
CODES = {0: "d", 1: "f", 2: "i", 3: "h", 4: "H", 5: "B"}


def array(
    name: str, values: list[Any], storage: int = 0, columns: int = 1, order: str = "<", **lies: int
) -> bytes:
    """An array, column by column; ``storage`` is the number of its type."""
    machine = lies.get("machine", 1 if order == ">" else 0)
    kind = 1000 * machine + 10 * storage + lies.get("content", 0)
    rows = lies.get("rows", len(values) // columns)
    text = name.encode("ascii") + b"\x00"
    head = struct.pack(f"{order}5I", kind, rows, columns, lies.get("imaginary", 0), len(text))
    return head + text + struct.pack(f"{order}{len(values)}{CODES[storage]}", *values)


def vectors(events: list[Event], storages: tuple[int, ...], order: str = "<") -> bytes:
    columns = zip(("ts", "x", "y", "pol"), storages, range(4), strict=True)
    return b"".join(array(n, [e[k] for e in events], s, order=order) for n, s, k in columns)


def rows(events: list[Event]) -> list[int]:
    """The values of an N x 4 array: x, y, p, t."""
    return [event[k] for k in (1, 2, 3, 0) for event in events]


def make() -> None:
    vector("mat", "v4_rows.mat", array("events", rows(MANY), 0, 4), MANY, None)
    more = (
        array("note", [104, 105], 5, 2, content=1) + array("width", [304]) + array("height", [240])
    )
    vector(
        "mat", "v4_vectors.mat", vectors(FEW, (2, 4, 3, 5)) + more, FEW, (304, 240),
        dropped={"extra_variables": 1},
    )  # fmt: skip
    big = vectors(FEW, (0, 1, 0, 0), ">")
    vector("mat", "v4_big_endian.mat", big, FEW, None)
    vector("mat", "v4_empty.mat", vectors([], (0, 0, 0, 0)), [], None)


def bad_rows() -> list[tuple[str, bytes, str, str, str, dict[str, Any]]]:
    """Bad files and what is said of them, as `vector_files.write_bad` takes them."""
    whole = array("events", rows(MANY), 2, 4)
    told: dict[str, Any] = {"columns": ["x", "y", "p", "t"], "time_unit": "us"}
    none: dict[str, Any] = {}
    return [
        ("v4_cut.mat", whole[: -4 * 30], "TruncatedError", "60 events are safe", "t comes last", none),
        ("v4_cut_header.mat", whole + array("width", [304])[:12], "TruncatedError", "90 events are safe", "the array behind the events is cut", none),
        ("v4_vax.mat", array("events", rows(MANY), 2, 4, machine=2), "UnsupportedError", "VAX", "", none),
        ("v4_claims.mat", array("events", rows(FEW), 0, 4, rows=2**31 - 1), "TruncatedError", "0 events are safe", "2^31 rows in 20 numbers", told),
        ("v4_garbage.mat", whole + bytes(100), "CorruptError", "no array of MAT v4", "", none),
        ("v4_twice.mat", whole + whole, "CorruptError", "several variables of one name", "", none),
        ("v4_complex.mat", array("events", 2 * rows(FEW), 0, 4, rows=5, imaginary=1), "UnsupportedError", "no variable of events", "", none),
        ("v4_sparse.mat", array("events", rows(FEW), 0, 4, content=2), "UnsupportedError", "no variable of events", "", none),
    ]  # fmt: skip


if __name__ == "__main__":
    make()
