"""Annotations of N-Caltech101: the box of an object and its outline, for all of a recording.

Two tables of little-endian int16, each behind its numbers of rows and columns: corners of the box,
then points of the outline. A table has a row of x and a row of y, and lies column by column, as
MATLAB writes it: x, y, x, y ... Told by readers of several repositories, all alike; no file was at
hand.
"""

from __future__ import annotations

from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from evstore.errors import CorruptError, FormatError, TruncatedError

#: What the class of a box is where the file does not tell it: it is the recording's own.
NO_CLASS = -1

#: No annotation is larger: 9,000 images have outlines of some dozens of points.
SIZE_LIMIT = 1 << 20


def read_outline(stream: BinaryIO, size: int) -> dict[str, NDArray[Any]]:
    """One box with columns ``t, x, y, w, h, class_id``: t is 0, and the class is -1.

    The class is none of the file's: it is the recording's label. The box is the smallest that
    holds all corners; its size is the distance between them, in pixels, as float32. Raises
    FormatError for what is no such file, TruncatedError for a cut one.
    """
    if size > SIZE_LIMIT:
        raise FormatError("no annotation", expected=f"at most {SIZE_LIMIT:,} bytes", got=size)
    content = stream.read(size)
    corners, end = _points(content, 0, "corners")
    _, end = _points(content, end, "outline")
    if end != len(content):
        raise CorruptError("the file goes on behind its outline", offset=end)
    if not len(corners):
        raise CorruptError("a box without corners", field="corners")
    low, high = corners.min(axis=0), corners.max(axis=0)
    sides = (*low, *(high - low))
    box = {name: np.array([side], np.float32) for name, side in zip("xywh", sides, strict=True)}
    return {"t": np.zeros(1, np.int64), **box, "class_id": np.full(1, NO_CLASS, np.int64)}


def _points(content: bytes, start: int, name: str) -> tuple[NDArray[np.int64], int]:
    """(N, 2) points of the table at ``start``, and where it ends."""
    if len(content) < start + 4:
        raise TruncatedError("the annotation ends early", offset=len(content), field=name)
    rows, columns = (int(n) for n in np.frombuffer(content, "<i2", 2, start))
    if rows != 2 or columns < 0:
        got = f"{rows} x {columns}"
        raise FormatError("no annotation", offset=start, field=name, expected="2 rows", got=got)
    end = start + 4 + 4 * columns
    if len(content) < end:
        raise TruncatedError("the annotation ends early", offset=len(content), field=name)
    points = np.frombuffer(content, "<i2", 2 * columns, start + 4)
    return points.reshape(-1, 2).astype(np.int64), end
