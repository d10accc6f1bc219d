"""Labels that stand in files of their own: boxes of objects, intervals of classes.

Boxes: Prophesee's ``*_bbox.npy`` (Gen1 and 1 Mpx Automotive Detection,
https://docs.prophesee.ai/stable/datasets.html), the ``tracks.npy`` of DSEC detection
(https://dsec.ifi.uzh.ch) and the annotations of N-Caltech101 (label_outlines.py). Intervals: the
``*_labels.csv`` of DVS128 Gesture
(https://research.ibm.com/publications/a-low-power-fully-event-based-gesture-recognition-system).
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from evstore.errors import CorruptError, FormatError, TruncatedError
from evstore.formats.label_outlines import read_outline
from evstore.formats.npy_header import Header, read_header

#: What the columns of boxes are called here, and in files of either age.
BOX_FIELDS = {
    "t": ("t", "ts"),
    "x": ("x",),
    "y": ("y",),
    "w": ("w",),
    "h": ("h",),
    "class_id": ("class_id",),
    "confidence": ("confidence", "class_confidence"),
    "track_id": ("track_id",),
}

#: What no table of boxes is without.
BOX_REQUIRED = ("t", "x", "y", "w", "h", "class_id")

_WHOLE = ("t", "class_id", "track_id")

#: The header of DVS128 Gesture, and what its columns are called here.
INTERVAL_FIELDS = {"startTime_usec": "t_start", "endTime_usec": "t_stop", "class": "class_id"}

#: The longest line of three numbers.
LINE_LIMIT = 200

_NUMBER = re.compile(r"[0-9]{1,18}")


def read_boxes(path: str | os.PathLike[str]) -> dict[str, NDArray[Any]]:
    """Columns ``t, x, y, w, h, class_id``, and ``confidence, track_id`` where there are any.

    t in microseconds, class and track as int64; x, y (the top left corner), w and h as the floats
    that the file has. Other fields that are numbers come under their own names. Nothing is ever
    unpickled. A ``.bin`` file is an annotation of N-Caltech101: one box, as `read_outline` gives
    it. Raises FormatError for what is no table of boxes, TruncatedError for a cut one.
    """
    try:
        with Path(path).open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            is_outline = os.fspath(path).lower().endswith(".bin")
            return read_outline(stream, size) if is_outline else _boxes(stream, size)
    except FormatError as error:
        raise error.at(path) from None


def read_intervals(path: str | os.PathLike[str]) -> dict[str, NDArray[np.int64]]:
    """Columns ``t_start, t_stop`` in microseconds and ``class_id`` as in the file (from 1 on).

    Raises FormatError for another header, CorruptError naming the line for other rows.
    """
    try:
        with Path(path).open("rb") as stream:
            return _intervals(stream)
    except FormatError as error:
        raise error.at(path) from None


def _boxes(stream: BinaryIO, size: int) -> dict[str, NDArray[Any]]:
    header = read_header(stream)
    sources = _box_fields(header)
    there = size - len(header.raw)
    if there < header.data_bytes:
        raise TruncatedError(
            "the file ends before its boxes do",
            offset=size,
            expected=f"{header.data_bytes:,} bytes of boxes",
            got=f"{there:,}",
        )
    if there > header.data_bytes:
        end = len(header.raw) + header.data_bytes
        raise CorruptError("the file goes on behind its boxes", offset=end)
    records = np.frombuffer(stream.read(header.data_bytes), header.dtype)
    return {name: _box_column(records[source], name) for name, source in sources.items()}


def _box_fields(header: Header) -> dict[str, str]:
    """The file's field of each column."""
    names = header.dtype.names
    if names is None or len(header.shape) != 1:
        raise FormatError("no table of boxes", expected="one row a box", got=header.dtype)
    sources = {}
    for name, spellings in BOX_FIELDS.items():
        there = [spelling for spelling in spellings if spelling in names]
        if len(there) > 1 or (not there and name in BOX_REQUIRED):
            got = ", ".join(names)[:200]
            raise FormatError("no table of boxes", field=name, expected="one field of it", got=got)
        if there:
            sources[name] = there[0]
    known = set(sources.values())
    plain = [n for n in names if header.dtype[n].kind in "iufb" and header.dtype[n].shape == ()]
    if not known <= set(plain):
        raise FormatError("boxes that are no plain numbers", got=header.dtype)
    return sources | {name: name for name in plain if name not in known and name not in sources}


def _box_column(values: NDArray[Any], name: str) -> NDArray[Any]:
    if name not in _WHOLE:
        return np.array(values, values.dtype.newbyteorder("="))
    if values.dtype.kind == "f":
        good = (values == np.floor(values)) & (np.abs(values) < 2.0**63)
    else:
        good = values <= np.iinfo(np.int64).max
    if not good.all():
        k = int(np.argmin(good))
        raise CorruptError(f"box {k:,} has a value that cannot be", field=name, got=values[k])
    return values.astype(np.int64)


def _intervals(stream: BinaryIO) -> dict[str, NDArray[np.int64]]:
    order = [cell.strip() for cell in _line(stream, 1).removeprefix("\ufeff").split(",")]
    if sorted(order) != sorted(INTERVAL_FIELDS):
        expected = "class,startTime_usec,endTime_usec"
        raise FormatError("no table of intervals", expected=expected, got=",".join(order)[:80])
    rows: list[list[int]] = []
    number = 2
    while line := _line(stream, number):
        if cells := [cell.strip() for cell in line.split(",")] if line.strip() else []:
            rows.append(_interval(cells, order, number))
        number += 1
    table = np.array(rows, np.int64).reshape(-1, len(order))
    columns = {INTERVAL_FIELDS[name]: table[:, k].copy() for k, name in enumerate(order)}
    return {name: columns[name] for name in ("t_start", "t_stop", "class_id")}


def _interval(cells: list[str], order: list[str], number: int) -> list[int]:
    if len(cells) != len(order) or not all(_NUMBER.fullmatch(cell) for cell in cells):
        raise CorruptError(
            f"line {number} is no interval", expected="three whole numbers", got=",".join(cells)
        )
    row = [int(cell) for cell in cells]
    start, stop = (row[order.index(name)] for name in ("startTime_usec", "endTime_usec"))
    if stop < start:
        raise CorruptError(f"line {number} ends before it begins", got=",".join(cells))
    return row


def _line(stream: BinaryIO, number: int) -> str:
    """The next line with its end; empty at the end of the file."""
    line = stream.readline(LINE_LIMIT + 1)
    if len(line) > LINE_LIMIT:
        raise FormatError(f"line {number} is too long", expected=f"at most {LINE_LIMIT} bytes")
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        raise FormatError(f"line {number} is no text", got=line[:16]) from None
