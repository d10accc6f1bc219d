"""Events whose times are out of order by less than some bound, put in order as a stream goes on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evstore.noise.batch import Batch, empty_batch, joined
from evstore.noise.changes import keep_kernels
from evstore.noise.changes import order_kernels as kernels
from evstore.noise.changes.keep import flags, put

TIME_BITS = 64 - kernels.NUMBER_BITS
MOST = 1 << kernels.NUMBER_BITS  # events that are sorted at once


class Reorder:
    """Events that wait, in the order in which they came, until nothing can come before them.

    Equal times keep that order: of those that wait none is sorted, but for those that are given.
    """

    def __init__(self, start: int) -> None:
        #: All that is to come is of this time or after it.
        self.settled = start
        #: How many events wait.
        self.waiting = 0
        self._parts: list[Batch] = []
        self._places = np.empty(kernels.PLACES, np.uint32)
        self._rooms = [np.empty(0, np.uint64), np.empty(0, np.uint64)]

    def add(self, batch: Batch) -> None:
        """Take more; none is of a time that is settled."""
        if batch.size:
            self._parts.append(batch)
            self.waiting += batch.size

    def end_before(self, latest: int) -> None:
        """Those that would come after ``latest`` come then. Their times are written to."""
        for part in self._parts:
            kernels.end_before(part.t, latest)

    def settle(self, until: int, out: Batch) -> int:
        """Write those before ``until``, in order, to the beginning of ``out``; how many.

        There is room for all that wait.
        """
        batch, self._parts = joined(self._parts), []
        greatest = int(batch.t.max()) if batch.size else until
        latest = min(until - 1, greatest)
        base, self.settled = self.settled, max(self.settled, until)
        if not batch.size or latest < base:
            self._keep(batch)
            return 0
        time_bits = (latest - base).bit_length()
        if time_bits > TIME_BITS or batch.size >= MOST:
            return self._settle_slowly(batch, latest, out)
        if batch.size >= self._rooms[0].size:
            self._rooms = [np.empty(2 * batch.size + 1, np.uint64) for _ in range(2)]
        entries, other = self._rooms
        later = flags(batch.size)
        count = int(kernels.make_entries(batch.t, base, latest, entries, later))
        entries, other = entries[:count], other[:count]
        if kernels.sort_entries(entries, other, time_bits, self._places):
            entries = other
        kernels.gather(entries, base, *batch[1:], *out)
        self._keep_flagged(batch, later, batch.size - count)
        return count

    def _settle_slowly(self, batch: Batch, latest: int, out: Batch) -> int:
        """The same of very many events, or of times of weeks."""
        ready = batch.t <= latest
        which = np.flatnonzero(ready)
        which = which[np.argsort(batch.t[which], kind="stable")]
        put(batch.at(which), out)
        self._keep_flagged(batch, (~ready).view(np.uint8), batch.size - which.size)
        return int(which.size)

    def _keep_flagged(self, batch: Batch, later: NDArray[np.uint8], count: int) -> None:
        if not count:
            self._keep(empty_batch())
            return
        rest, first = empty_batch(count + 1), int(later.argmax())  # often near to the end
        keep_kernels.compact(later[first:], *batch.at(slice(first, None)), *rest)
        self._keep(rest.at(slice(0, count)))

    def _keep(self, batch: Batch) -> None:
        self._parts = [batch] if batch.size else []
        self.waiting = batch.size
