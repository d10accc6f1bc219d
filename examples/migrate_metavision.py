"""From Metavision's EventsIterator to evstore: the old loops and the new ones, compared.

    python examples/migrate_metavision.py drive.raw drive.evs

Converts the recording (any file that evstore reads) and goes through it both ways. The SDK need
not be there: a stand-in below follows what its documentation says
(https://docs.prophesee.ai/stable/api/python/core/event_io.html). With the SDK, the old line is

    from metavision_core.event_io import EventsIterator

What is not copied:

- Times stay those of the file. Metavision subtracts, for RAW files, the time at which the recording
  began (``do_time_shifting=True``); to go on with such times, subtract the same.
- Windows of evstore begin at the first event. Those by ``delta_t`` begin at 0, and there is one,
  empty, for each ``delta_t`` before the first event: ``start=0`` gives them, another multiple of
  ``delta_t`` the same grid from there on. Empty windows between events are there in both.
- evstore leaves out an incomplete last window, unless ``partial=True``.
- ``start_ts`` need be no multiple of ``delta_t``, windows may overlap (``stride=``), and a
  recording can be gone through again: an EventsIterator can be used only once.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np

import evstore

DELTA_T, N_EVENTS = 10_000, 20_000


class EventsIterator:
    """A stand-in for Metavision's class of that name; it holds all events in memory.

    Times must be in order, as there. "mixed": a window ends with its ``n_events``, and the next
    one begins at the event after them; or else it ends after ``delta_t``.
    """

    def __init__(
        self, path, start_ts=0, mode="delta_t", delta_t=10_000, n_events=10_000,
        max_duration=None, relative_timestamps=False,
    ):  # fmt: skip
        if mode != "n_events" and start_ts % delta_t:
            raise ValueError("start_ts must be a multiple of delta_t")
        with evstore.open(path) as rec:
            events = rec[:].to_structured()
        end_ts = np.inf if max_duration is None else start_ts + max_duration
        self.events = events[(events["t"] >= start_ts) & (events["t"] < end_ts)]
        self.now, self.mode, self.relative = start_ts, mode, relative_timestamps
        self.delta_t = np.inf if mode == "n_events" else delta_t
        self.n_events = len(events) if mode == "delta_t" else n_events

    def __iter__(self) -> Iterator[np.ndarray]:
        rest = self.events
        while len(rest):
            late = np.searchsorted(rest["t"], self.now + self.delta_t)
            found = rest[: min(late, self.n_events)].copy()
            rest, began = rest[len(found) :], self.now
            is_full = late > self.n_events  # before the time was over: the clock starts anew
            self.now = int(rest["t"][0]) if is_full else self.now + self.delta_t
            if self.relative:
                found["t"] -= began
            yield found


def by_time(rec: evstore.Recording, delta_t: int, start: int = 0, duration: int | None = None):
    """mode="delta_t": ``start_ts`` and ``max_duration`` are ``start`` and ``stop``."""
    stop = rec.t_stop if duration is None else min(start + duration, rec.t_stop)
    return rec.windows(duration=delta_t, start=start, stop=stop, partial=True)


def by_count(rec: evstore.Recording, n_events: int):
    """mode="n_events"."""
    return rec.windows(count=n_events, partial=True)


def mixed(rec: evstore.Recording, delta_t: int, n_events: int) -> Iterator[evstore.Events]:
    """mode="mixed": up to ``n_events``, within ``delta_t``; of a shard, for which [i:j] is fast."""
    first, now = 0, 0
    while first < len(rec):
        found = rec[first : first + n_events + 1]  # and the one after them
        late = np.searchsorted(found.t, now + delta_t)
        now = int(found.t[-1]) if late > n_events else now + delta_t
        found = found[: min(late, n_events)]
        first += len(found)
        yield found


def same(what: str, old, new) -> None:
    count = events = 0
    for before, now in zip(old, new, strict=True):
        assert evstore.Events.from_structured(before) == now, (what, count)
        count, events = count + 1, events + len(now)
    print(f"{what}: {count:,} windows and {events:,} events are equal")


def main(source: str, target: str) -> None:
    evstore.convert(source, target)

    def old(start_ts: int = 0, **how) -> EventsIterator:
        return EventsIterator(source, start_ts, delta_t=DELTA_T, n_events=N_EVENTS, **how)

    with evstore.open(target) as rec:
        start = rec.t_start // DELTA_T * DELTA_T
        half = (rec.t_start + rec.t_stop) // 2 - start
        same("delta_t", old(), by_time(rec, DELTA_T))
        first_half = by_time(rec, DELTA_T, start, half)
        same("start_ts and max_duration", old(start, max_duration=half), first_half)
        same("n_events", old(mode="n_events"), by_count(rec, N_EVENTS))
        same("mixed", old(mode="mixed"), mixed(rec, DELTA_T, N_EVENTS))
        relative = old(start, relative_timestamps=True)
        for k, (before, now) in enumerate(zip(relative, by_time(rec, DELTA_T, start), strict=True)):
            assert np.array_equal(before["t"], now.t - (start + k * DELTA_T))
        print("relative_timestamps: subtract where the window begins")


if __name__ == "__main__":
    main(*sys.argv[1:])
