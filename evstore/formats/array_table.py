"""Arrays to events: pieces of a structured array, of an (N, 4) array or of columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from evstore.errors import ArgumentError, CorruptError, TruncatedError, UnsupportedError
from evstore.events import COLUMNS
from evstore.formats.columns import UNIT_PLACES, Layout, chosen_unit
from evstore.formats.reading import Batch, ReadOptions
from evstore.formats.records import fill

#: Names under which whole numbers are microseconds (dv-processing calls them ``timestamp``).
MICROSECOND_NAMES = ("t", "timestamp", "timestamps")

#: Bytes read at once, at most, however large the records are.
PIECE_BYTES = 4_194_304

_KINDS = "iufb"

#: Raw columns t, x, y and p of some consecutive events.
Columns = tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]


class Converter:
    """Turns raw columns into a `Batch`, checking every value.

    ``dtypes`` are those of t, x, y and p in the file. Raises ArgumentError where the unit of
    time must be said, UnsupportedError for dtypes that hold no numbers.
    """

    def __init__(
        self, layout: Layout, dtypes: Sequence[np.dtype[Any]], options: ReadOptions
    ) -> None:
        for role, dtype in zip(COLUMNS, dtypes, strict=True):
            if dtype.kind not in _KINDS or dtype.itemsize > 8:
                raise UnsupportedError(
                    "a column that holds no plain numbers",
                    field=layout.name_of(role),
                    expected="integers, bool or float64",
                    got=dtype,
                )
        unit = chosen_unit(layout, options)
        self.unit_assumed = unit is None
        if unit is None:
            _require_microseconds(layout, dtypes[0])
        self.unit = unit or "us"
        self._names = {role: layout.name_of(role) for role in COLUMNS}
        self._events = 0

    def batch(self, t: NDArray[Any], x: NDArray[Any], y: NDArray[Any], p: NDArray[Any]) -> Batch:
        """Fresh columns of the exact dtypes. Raises CorruptError for a value that cannot be."""
        with np.errstate(all="ignore"):  # NaN and infinity are found by the checks
            made = Batch(self._time(t), self._whole("x", x), self._whole("y", y), self._polarity(p))
        self._events += made.t.size
        return made

    def _time(self, t: NDArray[Any]) -> NDArray[np.int64]:
        places = UNIT_PLACES[self.unit]
        if t.dtype.kind == "f":
            # The nearest float64 product, then the nearest whole number: exact to 0.5 us + 1 ulp.
            wide = t.astype(np.float64)
            scaled = wide * float(10**places) if places >= 0 else wide / 1000.0
            self._require("t", np.isfinite(t) & (np.abs(scaled) < 2.0**63), t, "an int64 in us")
            return np.asarray(np.rint(scaled)).astype(np.int64)
        if places < 0:
            return _thousandth(t)
        limit = (2**63 - 1) // 10**places
        if t.dtype.kind == "u":
            self._require("t", t <= np.uint64(limit), t, "an int64 in us")
        elif places:
            self._require("t", (t >= -limit) & (t <= limit), t, "an int64 in us")
        return t.astype(np.int64) * np.int64(10**places)

    def _whole(self, role: str, values: NDArray[Any]) -> NDArray[np.uint16]:
        expected = "0..65535"
        if values.dtype.kind == "f":
            inside = (values >= 0) & (values <= 65_535)
            self._require(role, inside, values, expected)
            self._require(role, values == np.floor(values), values, "a whole number")
        elif values.dtype.kind != "b" and values.dtype.newbyteorder("=") != np.uint16:
            self._require(role, (values >= 0) & (values <= 65_535), values, expected)
        return np.array(values, np.uint16, order="C", copy=True)

    def _polarity(self, values: NDArray[Any]) -> NDArray[np.uint8]:
        if values.dtype.kind != "b":
            known = (values == 0) | (values == 1)
            if values.dtype.kind != "u":
                known |= values == -1
            self._require("p", known, values, "0, 1 or -1")
        return np.ascontiguousarray(values > 0).view(np.uint8)

    def _require(
        self, role: str, good: NDArray[np.bool_], values: NDArray[Any], expected: str
    ) -> None:
        if not good.all():
            first = int(np.argmin(good))
            raise CorruptError(
                f"event {self._events + first:,} has a value that cannot be",
                field=self._names[role],
                expected=expected,
                got=values[first],
            )


def batches(
    pieces: Iterator[Columns],
    converter: Converter,
    promised: int,
    extra: int = 0,
    dropped: dict[str, int] | None = None,
) -> Iterator[Batch]:
    """Batches of what ``pieces`` gives; raises TruncatedError where it gives fewer than promised.

    ``extra`` is the number of columns that are not kept, whose values are counted in ``dropped``.
    """
    events = 0
    for columns in pieces:
        made = converter.batch(*columns)
        events += made.t.size
        if extra and dropped is not None:
            dropped["extra_column_values"] = extra * events
        if made.t.size:
            yield made
    if events < promised:
        raise TruncatedError(
            "the file ends before its array does",
            safe_events=events,
            expected=f"{promised:,} events",
            got=f"{events:,}",
        )


def values(stream: BinaryIO, dtype: np.dtype[Any], count: int) -> NDArray[Any]:
    """Up to ``count`` whole values of a stream: fewer only where it ends."""
    buffer = np.empty(count * dtype.itemsize, np.uint8)
    got = fill(stream, buffer.data)
    whole = got // dtype.itemsize
    array: NDArray[Any] = buffer[: whole * dtype.itemsize].view(dtype.base)
    return array.reshape(whole, *dtype.shape)


def piece_length(limit: int, record_bytes: int) -> int:
    """Events to read at once: ``limit``, fewer where records are large.

    Raises ArgumentError for a limit below one.
    """
    if limit < 1:
        raise ArgumentError(f"batch_events must be at least 1, got {limit}")
    return max(1, min(limit, PIECE_BYTES // record_bytes))


def _require_microseconds(layout: Layout, dtype: np.dtype[Any]) -> None:
    name = layout.name_of("t")
    if name.lower() not in MICROSECOND_NAMES or dtype.kind == "f":
        raise ArgumentError(
            f"the times {name!r} ({dtype}) do not say their unit: pass --time-unit s, ms, us or ns"
        )


def _thousandth(t: NDArray[Any]) -> NDArray[np.int64]:
    """Integer nanoseconds to microseconds, half to even."""
    wide = t if t.dtype.kind == "u" and t.dtype.itemsize == 8 else t.astype(np.int64)
    whole, rest = np.divmod(wide, wide.dtype.type(1000))
    up = (rest > 500) | ((rest == 500) & (whole & whole.dtype.type(1) == 1))
    return np.asarray(whole.astype(np.int64) + up)
