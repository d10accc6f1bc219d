"""Events whose times are out of order by less than some bound, put in order as a stream goes on."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from evstore.noise.batch import Batch, empty_batch
from evstore.noise.changes import order_kernels as kernels
from evstore.noise.changes.order_kernels import ROW

Rows = NDArray[np.uint64]

DIGIT_BITS = 12  # binary places of a time by which events are moved at once, or fewer
MOST = 1 << 16  # events that are put in order at once: they stay in the cache
PART_BITS = 6  # more are divided into so many parts of the time before, of 2**6


class Digits(NamedTuple):
    """What times are taken apart into: equal numbers of binary places, from ``shifts`` on."""

    shifts: list[int]
    bits: int

    @classmethod
    def of(cls, bits: int) -> Digits:
        """As few as there can be, of times of so many binary places."""
        count = max(1, -(-bits // DIGIT_BITS))
        each = -(-bits // count)
        return cls([k * each for k in range(count)], each)


class Reorder:
    """Events that wait, in the order in which they came, until nothing can come before them.

    Equal times keep that order: of those that wait none is sorted, but for those that are given.
    """

    def __init__(self, start: int) -> None:
        #: All that is to come is of this time or after it.
        self.settled = start
        #: How many events wait.
        self.waiting = 0
        self._greatest = start  # time of all that came
        self._kept = 0  # how many waited after the last that were given
        self._parts: list[Batch] = []
        self._room = [np.empty(0, np.uint64) for _ in range(3)]

    def add(self, batch: Batch) -> None:
        """Take more; none is of a time that is settled."""
        if batch.size:
            self._parts.append(batch)
            self.waiting += batch.size
            self._greatest = max(self._greatest, int(batch.t.max()))

    @property
    def ripe(self) -> bool:
        """Whether so many have come that it is worth while to settle: each is looked at few times.

        As many as still waited, or thrice as many where these leave the cache anyway.
        """
        return self.waiting >= self._kept * (2 if 2 * self._kept <= MOST else 4)

    def end_before(self, latest: int) -> None:
        """Those that would come after ``latest`` come then. Their times are written to."""
        for part in self._parts:
            kernels.end_before(part.t, latest)

    def settle(self, until: int, out: Batch) -> int:
        """Write those before ``until``, in order, to the beginning of ``out``; how many.

        There is room for all that wait.
        """
        latest = min(until - 1, self._greatest)
        base, self.settled = self.settled, max(self.settled, until)
        if not self.waiting or latest < base:
            return 0
        bits = (latest - base).bit_length()
        if self.waiting <= MOST or bits <= PART_BITS:
            return self._settle_few(base, latest, Digits.of(bits), out)
        return self._settle_parts(base, latest, bits - PART_BITS, out)

    def _settle_few(self, base: int, latest: int, digits: Digits, out: Batch) -> int:
        room = self._space(0, self.waiting)
        count = int(self._together(base, latest, Digits([0], digits.bits), room)[-1])
        self._keep(room[ROW * count : ROW * self.waiting])
        self._give(
            room[: ROW * count], base, latest, digits._replace(shifts=digits.shifts[1:]), out
        )
        return count

    def _settle_parts(self, base: int, latest: int, shift: int, out: Batch) -> int:
        """The same of many events: divided by time first."""
        room = self._space(2, self.waiting)
        at = 0
        for end in self._together(base, latest, Digits([shift], PART_BITS), room).tolist():
            part = room[ROW * at : ROW * end]
            self._give(part, base, latest, Digits.of(shift), out.at(slice(at, end)))
            at = end
        self._keep(room[ROW * at : ROW * self.waiting])
        return at

    def _together(self, base: int, latest: int, digit: Digits, out: Rows) -> NDArray[np.int64]:
        """All that wait by one digit; where each ends. Those after ``latest`` follow."""
        (shift,), bits = digit
        counts = np.zeros((1 << bits) + 1, np.int64)
        for part in self._parts:
            kernels.count_digits(part.t, base, latest, shift, counts)
        kernels.to_places(counts)
        for part in self._parts:
            kernels.put_together(*part, base, latest, shift, counts, out)
        return counts[:-1] // ROW

    def _give(self, rows: Rows, base: int, latest: int, digits: Digits, out: Batch) -> None:
        """Write rows that are in order of all other digits of their times."""
        for k, shift in enumerate(digits.shifts):
            to = self._space(1 - k % 2, rows.size // ROW)[: rows.size]
            counts = np.zeros((1 << digits.bits) + 1, np.int64)
            kernels.count_digits(rows[::ROW], base, latest, shift, counts)
            kernels.to_places(counts)
            kernels.move(rows, base, shift, counts, to)
            rows = to
        kernels.put_apart(rows, *out)

    def _space(self, which: int, size: int) -> Rows:
        """Room for so many rows, and a quarter more for the next time."""
        if self._room[which].size < ROW * size:
            self._room[which] = np.empty(ROW * (size + size // 4), np.uint64)
        return self._room[which]

    def _keep(self, rows: Rows) -> None:
        self._parts, self.waiting = [], rows.size // ROW
        self._kept = self.waiting
        if self.waiting:
            batch = empty_batch(self.waiting)
            kernels.put_apart(rows, *batch)
            self._parts = [batch]
