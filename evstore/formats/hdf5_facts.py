"""What an HDF5 file says of its events beside them: unit of time, offset, size of the sensor."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from evstore.errors import CorruptError, FormatError, UnsupportedError
from evstore.formats.columns import UNIT_PLACES, is_size
from evstore.formats.hdf5_data import Rows
from evstore.formats.hdf5_file import attributes, find, hdf5_errors
from evstore.formats.hdf5_tree import Found

#: Seconds that no recording lasts: eleven days and more are another unit.
LONGEST_SECONDS = 1_000_000

#: Seconds since 1970 that are a date: from 2001 to 2103.
EPOCH_FIRST = 1_000_000_000
EPOCH_LAST = 4_200_000_000

#: Whole numbers from here on cannot be microseconds: it is the year 5138.
TOO_LATE = 100_000_000_000_000_000

#: eventcv's ``timestamp_scale_ms``: milliseconds a tick.
_SCALES = {1000.0: "s", 1.0: "ms", 0.001: "us", 0.000001: "ns"}


def facts(stream: BinaryIO, size: int, file: Any, found: Found) -> dict[str, Any]:
    """Numbers by name: attributes and scalar datasets at the events or above them."""
    known: dict[str, Any] = {}
    for path in _upwards(found):
        node = file if path == "/" else find(file, path)
        said = attributes(node) | _pair(node, "sensor_resolution")
        for name in ("width", "height", "t_offset"):
            place = path.strip("/") + f"/{name}"
            if name not in said and _is_scalar(file, place):
                said[name] = Rows(stream, size, file, place).scalar()
        known = {**said, **known}
    return known


def _upwards(found: Found) -> Iterator[str]:
    path = found.path.strip("/")
    while path:
        yield path
        path = path.rpartition("/")[0]
    yield "/"


def _is_scalar(file: Any, path: str) -> bool:
    import h5py

    node = find(file, path)
    if not isinstance(node, h5py.Dataset):
        return False
    with hdf5_errors(f"damaged HDF5 at {path!r}"):
        return node.shape in ((), (1,)) and node.dtype.kind in "iuf" and node.dtype.itemsize <= 8


def _pair(node: Any, name: str) -> dict[str, Any]:
    """An attribute of two whole numbers."""
    with hdf5_errors("damaged HDF5 attributes"):
        if name not in node.attrs:
            return {}
        about = node.attrs.get_id(name)
        if about.shape != (2,) or about.dtype.kind not in "iu" or about.dtype.itemsize > 8:
            return {}
        return {name: [int(side) for side in node.attrs[name]]}


def unit_of(t: NDArray[Any], end: NDArray[Any], scale: Any) -> tuple[str, str]:
    """(the unit of time, what tells it), by the file's first times and its last one.

    Raises FormatError where they do not tell: --time-unit must.

    >>> unit_of(np.array([0.25, 0.5]), np.array([7.0]), None)
    ('s', 'float values in the range of seconds')
    """
    if scale is not None:
        for known, unit in _SCALES.items():
            if isinstance(scale, float) and math.isclose(scale, known, rel_tol=1e-6):
                return unit, "timestamp_scale_ms"
        raise UnsupportedError(
            "a unit of time that is not read", field="timestamp_scale_ms", got=scale
        )
    if t.size == 0:
        return "us", "there are no events"
    first, last = t[0].item(), end[0].item()
    if t.dtype.kind != "f":
        if max(abs(first), abs(last)) >= TOO_LATE:
            raise _untold("whole numbers, too large for microseconds", first, last)
        return "us", "integers"
    if not (math.isfinite(first) and math.isfinite(last)):
        return "s", "float values"  # the value itself is refused where it is read
    if EPOCH_FIRST * 1e6 <= first <= EPOCH_LAST * 1e6:
        return "us", "float values in the range of microseconds since 1970"
    near_zero = -LONGEST_SECONDS < first < LONGEST_SECONDS
    spans = abs(last - first) < LONGEST_SECONDS
    if not spans or not (near_zero or EPOCH_FIRST <= first <= EPOCH_LAST):
        raise _untold("float values out of the range of seconds", first, last)
    if last != first and bool((t == np.floor(t)).all()) and last == math.floor(last):
        raise _untold("float values that are whole numbers", first, last)
    return "s", "float values in the range of seconds"


def _untold(what: str, first: float, last: float) -> FormatError:
    return FormatError(
        f"the unit of time cannot be told: {what}",
        got=f"{first:.16g} to {last:.16g}",
        hint=f"say it with --time-unit {', '.join(UNIT_PLACES)}",
    )


def offset_of(said: dict[str, Any], unit: str) -> int:
    """DSEC's ``t_offset``, microseconds that are added to every time; 0 where there is none."""
    offset = said.get("t_offset", 0)
    if isinstance(offset, float) and offset.is_integer():
        offset = int(offset)
    if type(offset) is not int or not -(2**63) <= offset < 2**63:
        raise CorruptError(
            "an offset of time that is no whole number", field="t_offset", got=offset
        )
    if offset and unit != "us":
        raise UnsupportedError(
            "an offset of times that are not in microseconds", field="t_offset", got=unit
        )
    return offset


def resolution_of(
    said: dict[str, Any], column: Callable[[str], NDArray[Any]]
) -> tuple[tuple[int, int] | None, dict[str, Any]]:
    """(the size, what to note of it): `sensor_resolution` does not say which side is which.

    ``column`` gives the first x and y; where they allow both, the larger side is the width.
    """
    if "width" in said and "height" in said:
        size = (said["width"], said["height"])
        if not all(type(side) is int for side in size) or not is_size(size):
            raise CorruptError(
                "width and height cannot be a sensor's", expected="1..65536", got=size
            )
        return size, {}
    pair = said.get("sensor_resolution")
    if pair is None:
        return None, {}
    if not is_size((pair[0], pair[1])):
        raise CorruptError("sensor_resolution cannot be a sensor's", expected="1..65536", got=pair)
    wide, high = max(pair), min(pair)
    right, down = (float(v.max()) if v.size else 0.0 for v in map(column, "xy"))
    upright = (right >= wide or down >= high) and right < high and down < wide
    size = (high, wide) if upright else (wide, high)
    told = "the first coordinates" if upright or right >= high else "the larger side is the width"
    return size, {"sensor_resolution": pair, "sensor_resolution_order": told}
