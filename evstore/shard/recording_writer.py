"""Write one recording of a shard: BEGIN, chunks and side streams, END."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evstore.errors import ArgumentError
from evstore.events import Events, check_polarity, dtype_name
from evstore.interrupts import interrupts_held
from evstore.shard.chunks import COLUMN
from evstore.shard.encoding import Encoded, Room, encode
from evstore.shard.index import INFERRED, PAGE_CHUNKS, RecordingInfo
from evstore.shard.layout import Begin, End
from evstore.shard.leaves import LeafBuffer
from evstore.shard.root import LEAF_EVENTS, SideHash, recording_root, source_header
from evstore.shard.side import LABELS, TRIGGERS, rows_at_once, side_record
from evstore.shard.turns import Turns

if TYPE_CHECKING:
    from evstore.shard.writer import ShardWriter

LEAVES_AT_ONCE = 4  # handed to the pool together, at most
MOST_WAITING = 3  # such hand-overs: bounds the memory
ENOUGH_WAITING = 2  # the pool has work for a while
MOST_SIDES = 256  # records of side streams that wait for their turn
LARGEST_COORDINATE = 0xFFFF


class RecordingWriter:
    """A recording being written. ``write`` appends events; ``close`` ends it.

    Coordinates outside a stated resolution are an ArgumentError that counts them; without a
    resolution it is inferred (greatest coordinate plus one) when the recording is closed.
    """

    def __init__(
        self,
        shard: ShardWriter,
        number: int,
        id: str,
        resolution: tuple[int, int] | None,
        label: Any,
        metadata: dict[str, Any],
        part: int,
        first_event: int,
    ) -> None:
        if resolution is not None:
            resolution = (int(resolution[0]), int(resolution[1]))
            if not all(1 <= side <= LARGEST_COORDINATE + 1 for side in resolution):
                raise ArgumentError(
                    f"resolution must be (width, height) of 1..65536, got {resolution}"
                )
        self.shard = shard
        self.number = number
        self.id = id
        self.resolution = self._begun_with = resolution
        # What is known now is in BEGIN; what changes, in END.
        self.metadata = json_value("metadata", dict(metadata))
        self.n_events = 0
        self.root: bytes | None = None
        self._label = json_value("label", label)
        self.first_event = self.next_event = first_event
        self._part = part
        self._leaf = LeafBuffer()
        self._turns = None if shard.pool is None else Turns(shard.pool)
        self._sides: list[tuple[str, bytes, int]] = []  # side records for the next turn
        self._cut = 0  # events of the leaf that are in chunks already
        self._rows: list[NDArray[np.int64]] = []  # of the index: chunks that are in no page yet
        self._n_chunks = self._n_in_pages = 0
        self._extent = (0, 0)
        self._side: dict[str, SideHash] = {}
        self._side_places: dict[str, list[list[int]]] = {}
        self._ended = False  # END is written
        self._closed = False  # and the recording is in the directory
        begin = Begin(number, id, resolution, first_event, part, self.metadata)
        self._known = dict(self.metadata)
        shard.append([begin.record()])

    def write(self, events: Events | NDArray[Any], *, checked: bool = False) -> None:
        """Append events (or a structured array with the fields t, x, y, p), exactly in order.

        ``checked``: the coordinates are known to lie within the resolution. Where this fails (a
        full disk), what ``taken`` counts is kept, and written as soon as there is room: go on
        with the event after it. What a pool could not write is lost: the recording cannot be ended.
        """
        if not isinstance(events, Events):
            events = Events.from_structured(events)
        with self.shard.lock:
            self._check_open()
            check_polarity(events.p)  # arrays may have been written to since they were checked
            if not checked:
                self._check_coordinates(events)
            at = 0
            while at < len(events):
                at += self._take(events[at:])

    def trigger(self, t: ArrayLike, id: ArrayLike = 0, p: ArrayLike = 1) -> None:
        """Append external trigger edges: times in microseconds, channels, 1 = rising."""
        self._append_side("triggers", TRIGGERS, {"t": t, "id": id, "p": p})

    def label(
        self, value: Any, t_start: ArrayLike | None = None, t_stop: ArrayLike | None = None
    ) -> None:
        """Label the recording (any JSON value), or the times [t_start, t_stop) with a class."""
        if t_start is None and t_stop is None:
            self._label = json_value("label", value)
            return
        if t_start is None or t_stop is None:
            raise ArgumentError("a label's interval needs both t_start and t_stop")
        values = {"t_start": t_start, "t_stop": t_stop, "class_id": value}
        if np.any(np.greater(t_start, t_stop)):
            raise ArgumentError("a label's interval ends before it begins: t_start > t_stop")
        self._append_side("labels", LABELS, values)

    def state_resolution(self, resolution: tuple[int, int]) -> None:
        """Say the resolution at the end, where it was not known at the start."""
        if self.resolution is not None and self.resolution != resolution:
            raise ArgumentError(f"the resolution is {self.resolution} already, got {resolution}")
        self.cut()
        if self._extent[0] > resolution[0] or self._extent[1] > resolution[1]:
            raise ArgumentError(f"events reach {self._extent}, beyond the resolution {resolution}")
        self.resolution = resolution

    @property
    def side_streams(self) -> list[str]:
        """The side streams that have rows."""
        return list(self._side)

    def rows(self, stream: str) -> int:
        """Rows of a side stream so far."""
        return self._side[stream].rows if stream in self._side else 0

    @property
    def taken(self) -> int:
        """Events that the recording has, written yet or not."""
        return self.next_event - self.first_event + self._leaf.filled - self._cut

    def cut(self) -> None:
        """Make chunks of every event so far, a shorter one where need be."""
        with self.shard.lock:
            if not self._ended:
                self._wait(0)
                self._cut_chunk(self._leaf.filled)

    def flush(self) -> None:
        """Put every event so far into the file."""
        with self.shard.lock:
            self.cut()
            self.shard.flush()

    def close(self) -> None:
        """End the recording: END record, and its place in the index."""
        with self.shard.lock:
            if self._closed:
                return
            self.cut()
            self._cut_pages()
            # Nothing of the recording changes before END is written: where that fails, it is open.
            resolution, said = self.resolution, dict(self.metadata)
            if resolution is None and self.n_events:
                resolution, said["resolution_from"] = self._extent, INFERRED
            metadata = {k: v for k, v in said.items() if self._known.get(k) != v}
            if self._label is not None:
                metadata["label"] = self._label
            header = source_header(self.metadata)
            sides = {name: side.digest() for name, side in sorted(self._side.items())}
            leaves = self._leaf.hashes()
            root = recording_root(self.n_events, leaves, sides, self._label, header)
            if not self._ended:
                changed = resolution if resolution != self._begun_with else None
                end = End(self.number, self.n_events, root, changed, metadata)
                self.shard.append([end.record()])
                self._ended, self.root = True, root
                self.resolution, self.metadata = resolution, said
            info = RecordingInfo(
                self.number, self.id, resolution, self.n_events, self._n_chunks, root,
                self._part, self.first_event, 0, 0, {**self._known, **metadata},
                self._side_places,
            )  # fmt: skip
            self.shard.finished(info, self._rows, self._n_in_pages > 0)
            self._closed = True  # not before: what failed is tried again when the shard is closed

    def _check_open(self) -> None:
        if self._ended:
            raise ArgumentError(f"recording {self.id!r} is closed")

    def _check_coordinates(self, events: Events) -> None:
        if self.resolution is None or not len(events):
            return
        width, height = self.resolution
        if int(events.x.max()) < width and int(events.y.max()) < height:
            return
        outside = int(np.count_nonzero((events.x >= width) | (events.y >= height)))
        raise ArgumentError(
            f"{outside:,} of {len(events):,} events lie outside the resolution {width}x{height}: "
            f"x up to {events.x.max()}, y up to {events.y.max()}. Give a larger resolution, "
            "or convert with --grow or --drop-outside"
        )

    def _take(self, events: Events) -> int:
        """Take as many events as there is room for; returns how many."""
        leaf, turns = self._leaf, self._turns
        whole = min(len(events) // LEAF_EVENTS, 1 if turns is None else LEAVES_AT_ONCE)
        if leaf.filled == 0 and whole and _writeable(events):
            self._take_whole(_contiguous(events[: whole * LEAF_EVENTS]))
            return whole * LEAF_EVENTS
        count = min(leaf.room, len(events))
        leaf.add(events[:count])
        if turns is not None and self._cut == 0:
            if leaf.room == 0:
                self._give(leaf.take)
            return count
        while leaf.filled - self._cut >= self.shard.chunk_events:
            self._cut_chunk(self._cut + self.shard.chunk_events)
        if leaf.room == 0:
            self._cut_chunk(leaf.filled)
            leaf.hash()
            self._cut = 0
        return count

    def _take_whole(self, whole: Events) -> None:
        """Take leaves that came whole: one, where there is no pool."""
        if self._turns is not None:
            self._give(lambda: whole)
            return
        at = self.next_event
        try:
            self._put(self._encode(whole, at, self.shard.room, True), LEAF_EVENTS)
        except BaseException:
            if self.next_event == at:  # what did not fit on the disk is tried again later
                self._leaf.add(whole)
            raise

    @property
    def is_ahead(self) -> bool:
        """Whether the pool has work for a while."""
        return self._turns is not None and self._turns.undone >= ENOUGH_WAITING

    def _give(self, take: Callable[[], Events]) -> None:
        """Have the leaves that ``take`` gives encoded, hashed and written by the shard's pool.

        They are not taken before the pool may get more, and there is room to encode them in.
        """
        assert self._turns is not None
        self._wait(MOST_WAITING - 1)
        spare = self.shard.spare
        using = spare.pop() if spare else self.shard.new_room(LEAVES_AT_ONCE)
        with interrupts_held():
            whole = take()
            sides, self._sides = self._sides, []

            def write(encoded: Encoded) -> None:
                self._put_sides(sides)
                self._put(encoded)
                spare.append(using)

            self._turns.give(partial(self._encode, whole, self.next_event, using, True), write)
            self.next_event += len(whole)

    def _wait(self, most: int) -> None:
        """Wait until the pool has no more than ``most`` to do."""
        if self._turns is None:
            return
        error = self._turns.wait(most)
        if error is not None:
            why = f"recording {self.id!r} lacks what could not be written: {error!r}"
            raise ArgumentError(why) from error
        if most == 0:
            self._put_sides(self._sides)

    def _cut_chunk(self, stop: int) -> None:
        # More than one chunk only where an earlier write failed.
        while self._cut < stop:
            end = min(stop, self._cut + self.shard.chunk_events)
            events = self._leaf.events[self._cut : end]
            encoded = self._encode(events, self.next_event, self.shard.room, False)
            with interrupts_held():
                self._put(encoded, len(events))
                self._cut = end

    def _encode(self, events: Events, first: int, using: Room, hashed: bool) -> Encoded:
        shard = self.shard
        return encode(events, shard.chunk_events, self.number, shard.codec, first, using, hashed)

    def _put(self, encoded: Encoded, more: int = 0) -> None:
        """Write chunks at once: all of them, or none where that fails.

        ``more``: so many events are in chunks then that were in none, nor with the pool.
        """
        self._cut_pages()
        rows = encoded.rows
        with interrupts_held():
            rows[:, COLUMN["offset"]] += self.shard.append(encoded.records)
            self._rows.append(rows)
            self._n_chunks += len(rows)
            x1, y1 = (int(rows[:, COLUMN[name]].max()) for name in ("x1", "y1"))
            self._extent = (max(self._extent[0], x1), max(self._extent[1], y1))
            self.n_events += int(rows[:, COLUMN["count"]].sum())
            self.next_event += more
            self._leaf.hashed += encoded.leaves

    def _cut_pages(self) -> None:
        """Write the pages of the index that are full: before the next chunk, so that one that
        fails leaves no chunk half known."""
        while self._n_chunks - self._n_in_pages >= PAGE_CHUNKS:
            rows = np.concatenate(self._rows)
            with interrupts_held():
                self.shard.page(rows[:PAGE_CHUNKS], self.number)
                self._rows = [rows[PAGE_CHUNKS:]]
                self._n_in_pages += PAGE_CHUNKS

    def _append_side(self, name: str, dtypes: dict[str, str], values: dict[str, ArrayLike]) -> None:
        arrays = np.broadcast_arrays(*(np.atleast_1d(np.asarray(v)) for v in values.values()))
        columns = {}
        for (column, dtype), array in zip(dtypes.items(), arrays, strict=True):
            limits = np.iinfo(dtype)
            if array.size and not limits.min <= array.min() <= array.max() <= limits.max:
                raise ArgumentError(
                    f"{name}: {column} must lie in {limits.min}..{limits.max}, "
                    f"got {array.min()}..{array.max()}"
                )
            columns[column] = array.astype(dtype)
        self.append_rows(name, columns)

    def append_rows(self, stream: str, columns: dict[str, NDArray[Any]]) -> None:
        """Append rows of columns (integers, booleans, floats) to a side stream.

        Every call has the same columns and dtypes.
        """
        count = len(next(iter(columns.values())))
        with self.shard.lock:
            self._check_open()
            if len(self._sides) > MOST_SIDES:
                self._wait(0)
            side = self._side.get(stream, SideHash())
            dtypes = {name: dtype_name(v.dtype) for name, v in columns.items()}
            if side.rows and side.dtypes != dtypes:
                raise ArgumentError(f"side stream {stream!r} has the columns {side.dtypes}")
            most = rows_at_once(columns)
            for start in range(0, count, most):
                rows = {k: v[start : start + most] for k, v in columns.items()}
                record = side_record(self.number, stream, rows, side.rows)
                length = len(next(iter(rows.values())))
                with interrupts_held():
                    # Where the pool is at chunks, in turn with them: files are reproducible.
                    waits = self._sides or (self._turns is not None and self._turns.unseen)
                    at = 0 if waits else self.shard.append([record])
                    side.update(rows)
                    self._side[stream] = side  # a stream without rows is none
                    if waits:
                        self._sides.append((stream, record, length))
                    else:
                        self._place_side(stream, at, len(record), length)

    def _place_side(self, stream: str, at: int, size: int, length: int) -> None:
        self._side_places.setdefault(stream, []).append([at, size, length])

    def _put_sides(self, sides: list[tuple[str, bytes, int]]) -> None:
        """Write side records that had to wait; those that fail go on waiting."""
        while sides:
            stream, record, length = sides[0]
            with interrupts_held():
                self._place_side(stream, self.shard.append([record]), len(record), length)
                del sides[0]

    def __enter__(self) -> RecordingWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()


def json_value(what: str, value: Any) -> Any:
    """The value as JSON gives it back (numpy's numbers as Python's, tuples as lists).

    Raises ArgumentError for what JSON does not have, here and not when the recording is closed.
    """
    try:
        return json.loads(json.dumps(value, allow_nan=False, default=_number))
    except (TypeError, ValueError) as error:
        raise ArgumentError(f"{what} must be a JSON value: {error}") from None


def _number(value: Any) -> Any:
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    raise TypeError(f"got {type(value).__name__}")


def _writeable(events: Events) -> bool:
    """Read-only arrays are copied: numba would compile every kernel again for them."""
    return all(c.flags.writeable for c in (events.t, events.x, events.y, events.p))


def _contiguous(events: Events) -> Events:
    t, x, y, p = map(np.ascontiguousarray, (events.t, events.x, events.y, events.p))
    return Events.of(t, x, y, p, events.resolution)
