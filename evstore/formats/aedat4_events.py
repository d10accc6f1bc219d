"""The packets of one AEDAT 4 recording as batches: its events, and what goes with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from evstore.errors import ArgumentError, CorruptError, FormatError, TruncatedError
from evstore.formats import aedat4_kernels as kernels
from evstore.formats.aedat4_compression import Octets
from evstore.formats.aedat4_header import (
    EVENTS,
    FRAMES,
    IMU,
    TRIGGERS,
    Header,
    Stream,
    beside,
)
from evstore.formats.aedat4_items import IDENTIFIERS, fault
from evstore.formats.aedat4_packets import Packets
from evstore.formats.aedat4_sides import Sides
from evstore.formats.fresh import fresh
from evstore.formats.reading import Batch, Reading

SIDES = (FRAMES, IMU, TRIGGERS)
_KIND = IDENTIFIERS[EVENTS]


def batches(
    packets: Packets,
    unpack: Callable[[memoryview], Octets],
    header: Header,
    chosen: Stream,
    limit: int,
    reading: Reading,
) -> Iterator[Batch]:
    """Batches of at most ``limit`` events of the ``chosen`` stream.

    What ``reading`` says is looked up when the first is asked for. Where a packet is damaged or
    cut, all that is whole before it is given first; then the error is raised.
    """
    if limit < 1:
        raise ArgumentError(f"batch_events must be at least 1, got {limit}")
    dropped = reading.dropped
    kinds = {stream.id: stream.kind for stream in beside(header, chosen)}
    kinds[chosen.id] = EVENTS
    unwanted = {stream.id for stream in header.streams} - set(kinds)  # of another recording
    if reading.events_only:
        unwanted |= {number for number, kind in kinds.items() if kind in SIDES}
    several = frozenset(kind for kind, count in Counter(kinds.values()).items() if count > 1)
    filling = _Filling(limit, Sides(several, dropped))
    failure = None
    offset = 0
    try:
        for packet in packets:
            offset, number, packed = packet
            if number in unwanted:
                continue
            kind = kinds.get(number)
            if kind == EVENTS:
                octets, first = _array(unpack(packed)), 0
                while first >= 0:
                    first = filling.events(octets, first)
                    if filling.full:
                        yield filling.taken()
            elif kind in SIDES:
                yield from filling.beside(kind, number, _array(unpack(packed)))
            else:
                what = f"packets_of_type_{kind}" if kind else "packets_of_unlisted_streams"
                dropped[what] = dropped.get(what, 0) + 1
    except FormatError as error:
        failure = error
        if error.offset is None:
            error.offset = offset
    if filling.any:
        yield filling.taken()
    if failure is not None:
        if isinstance(failure, TruncatedError):
            failure.safe_events = filling.given
        raise failure


class _Filling:
    """The batch that is being filled. ``given`` counts the events of those before."""

    def __init__(self, limit: int, sides: Sides) -> None:
        self._limit = limit
        self._sides = sides
        self._into = fresh(limit)
        self._filled = 0
        self.given = 0

    @property
    def full(self) -> bool:
        """Whether there is no room for another event."""
        return self._filled == self._limit

    @property
    def any(self) -> bool:
        """Whether there is anything for a batch."""
        return self._filled > 0 or self._sides.any

    def events(self, octets: NDArray[np.uint8], first: int) -> int:
        """Take a packet's events from the ``first`` on; which one is next, -1 behind the last."""
        count, taken, negative = kernels.events(
            octets, octets.size, _KIND, first, *self._into[:4], self._filled
        )
        if count < 0:
            raise fault(octets, EVENTS, -count)
        if negative:
            raise self._negative(taken)
        self._filled += taken
        return first + taken if first + taken < count else -1

    def beside(self, kind: str, number: int, octets: NDArray[np.uint8]) -> Iterator[Batch]:
        """Take a packet of another stream; gives the batches that are large enough."""
        for _ in self._sides.add(kind, number, octets):
            if self._sides.full:
                yield self.taken()

    def taken(self) -> Batch:
        """The batch as it is, and begin another."""
        triggers, side = self._sides.take()
        into, count = self._into, self._filled
        self.given += count
        self._into, self._filled = fresh(self._limit), 0
        return Batch(into.t[:count], into.x[:count], into.y[:count], into.p[:count], triggers, side)

    def _negative(self, taken: int) -> CorruptError:
        """Keep what is before the first event with a negative x or y, and say which it is."""
        place = slice(self._filled, self._filled + taken)
        x, y = (column[place].view(np.int16) for column in self._into[1:3])
        at = int(np.argmax((x < 0) | (y < 0)))
        self._filled += at
        return CorruptError(
            f"event {self.given + self._filled:,} has a negative coordinate",
            expected="0..32767",
            got=(int(x[at]), int(y[at])),
        )


def _array(octets: Octets) -> NDArray[np.uint8]:
    array = np.frombuffer(octets, np.uint8)
    array.flags.writeable = False  # as of bytes: kernels are compiled for one kind of array
    return array
