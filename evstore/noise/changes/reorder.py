"""Events whose times are out of order by less than some bound, put in order as a stream goes on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evstore.noise.batch import Batch, empty_batch, joined
from evstore.noise.changes import order_kernels as kernels
from evstore.noise.changes.keep import flags, kept, put

MOST_BITS, FEW_BITS = 64, 32  # of an entry: few are sorted in half of the time
PART = 1 << 15  # events that are sorted at once, about: they stay in the cache
MOST_PARTS = 250


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
        self._entries, self._words = np.empty(0, np.uint64), np.empty(0, np.uint64)
        self._taken = np.empty(kernels.TAKEN, np.uint64)

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
        greatest = max((int(part.t.max()) for part in self._parts), default=until)
        latest = min(until - 1, greatest)
        base, self.settled = self.settled, max(self.settled, until)
        if not self.waiting or latest < base:
            return 0
        if self.waiting > 2 * PART:
            return self._settle_parts(base, latest, out)
        batch = joined(self._parts)
        count, later = self._sorted(batch, base, latest, out)
        first = int(later.argmax()) if count < batch.size else batch.size  # often near to the end
        self._keep(kept(batch.at(slice(first, None)), later[first:]))
        return count

    def _settle_parts(self, base: int, latest: int, out: Batch) -> int:
        """The same of many events: divided by time first."""
        shift = ((latest - base) // min(self.waiting // PART, MOST_PARTS)).bit_length()
        counts = np.zeros(((latest - base) >> shift) + 2, np.int64)
        which = [np.empty(batch.size, np.uint8) for batch in self._parts]
        for batch, parts in zip(self._parts, which, strict=True):
            kernels.count_parts(batch.t, base, latest, shift, parts, counts)
        ends, divided = np.cumsum(counts), empty_batch(self.waiting)
        places = ends - counts
        for batch, parts in zip(self._parts, which, strict=True):
            kernels.divide(parts, places, *batch, *divided)
        at = 0
        for part, end in enumerate(ends[:-1].tolist()):
            some = divided.at(slice(at, end))
            first = base + (part << shift)
            self._sorted(some, first, min(latest, first + (1 << shift) - 1), out.at(slice(at, end)))
            at = end
        self._keep(divided.at(slice(at, None)))
        return at

    def _sorted(
        self, batch: Batch, base: int, latest: int, out: Batch
    ) -> tuple[int, NDArray[np.uint8]]:
        """Write those up to ``latest`` to the beginning of ``out``; how many. Flags the others."""
        number_bits = batch.size.bit_length()
        bits = (latest - base).bit_length() + number_bits
        if bits > MOST_BITS:
            return self._sorted_slowly(batch, latest, out)
        if batch.size > self._words.size:
            self._entries, self._words = (np.empty(2 * batch.size + 1, np.uint64) for _ in range(2))
        entries = self._entries if bits > FEW_BITS else self._entries.view(np.uint32)
        later = flags(batch.size)
        count = int(kernels.make_entries(batch.t, base, latest, number_bits, entries, later))
        entries[:count].sort()  # of different numbers: any sort is stable
        kernels.put_together(*batch[1:], self._words)
        kernels.gather(entries[:count], number_bits, base, self._words, self._taken, *out)
        return count, later

    def _sorted_slowly(
        self, batch: Batch, latest: int, out: Batch
    ) -> tuple[int, NDArray[np.uint8]]:
        """The same of times of centuries."""
        ready = batch.t <= latest
        which = np.flatnonzero(ready)
        which = which[np.argsort(batch.t[which], kind="stable")]
        put(batch.at(which), out)
        return int(which.size), (~ready).view(np.uint8)

    def _keep(self, batch: Batch) -> None:
        self._parts = [batch] if batch.size else []
        self.waiting = batch.size
