"""From DSEC's EventSlicer to evstore: the old lines and the new ones, run on one file and compared.

    python examples/migrate_dsec.py events.h5 events.evs

Needs h5py and hdf5plugin beside evstore. EventSlicer is a script of DSEC's repository, no package
(https://github.com/uzh-rpg/DSEC): the stand-in below does what its comments say. For a whole DSEC,
both cameras of a sequence in one group: ``evstore.pack("DSEC/", "shards/", layout="dsec")``.

What is not copied:

- EventSlicer finds events through ``ms_to_idx``, so a window that reaches beyond the last whole
  millisecond gives None, even where it holds events, and one before ``t_offset`` fails. A window of
  evstore may lie anywhere; where there are no events it is empty.
- A window whose milliseconds hold no event reads the last one of an empty array.
- Times are absolute, ``t`` plus ``t_offset``, as EventSlicer's are; but always int64. The script
  adds the offset to uint32 times, and under numpy 2 fails where it is above 2**32 - 1, or wraps.
- Columns are arrays of an `Events`, not values of a dict, and the last event can be asked for.
"""

from __future__ import annotations

import sys

import numpy as np

import evstore

WINDOW_US = 10_000


class EventSlicer:
    """A stand-in for DSEC's class of that name."""

    def __init__(self, h5f) -> None:
        self.events = {name: h5f[f"events/{name}"] for name in ("p", "x", "y", "t")}
        self.ms_to_idx = h5f["ms_to_idx"][:].astype(np.int64)
        self.t_offset = int(h5f["t_offset"][()]) if "t_offset" in h5f else 0

    def get_events(self, t_start_us: int, t_end_us: int) -> dict[str, np.ndarray] | None:
        start, stop = t_start_us - self.t_offset, t_end_us - self.t_offset
        assert 0 <= start < stop
        first_ms, last_ms = start // 1000, -(-stop // 1000)
        if last_ms >= len(self.ms_to_idx):
            return None
        low, high = self.ms_to_idx[first_ms], self.ms_to_idx[last_ms]
        t = self.events["t"][low:high].astype(np.int64)
        low, high = low + np.searchsorted(t, [start, stop])
        found = {name: column[low:high] for name, column in self.events.items()}
        return {**found, "t": found["t"].astype(np.int64) + self.t_offset}


def old_windows(path: str) -> dict[int, dict[str, np.ndarray] | None]:
    import h5py
    import hdf5plugin  # noqa: F401  (registers the compression of DSEC's files)

    with h5py.File(path) as file:
        slicer = EventSlicer(file)
        last = int(file["events/t"][-1])
        starts = range(slicer.t_offset, slicer.t_offset + last + 1, WINDOW_US)
        return {start: slicer.get_events(start, start + WINDOW_US) for start in starts}


def new_window(rec: evstore.Recording, start: int) -> evstore.Events:
    return rec.between(start, start + WINDOW_US)


def main(source: str, target: str) -> None:
    evstore.convert(source, target)  # or open the HDF5 file itself: evstore.open(source)
    old = old_windows(source)
    with evstore.open(target) as rec:
        count = 0
        for start, before in old.items():
            now = new_window(rec, start)
            if before is None:
                print(f"from {start} us on: None before, {len(now):,} events now")
                continue
            assert all(np.array_equal(before[name], getattr(now, name)) for name in "txyp"), start
            count += len(now)
        print(f"{len(old)} windows: {count:,} events are equal")

        # Nothing is lost, and nothing fails, at the ends.
        windows = [new_window(rec, start) for start in old]
        assert evstore.Events.concatenate(windows) == rec[:]
        print(f"all {len(rec):,} events are in windows; before the first: ", end="")
        print(f"{len(rec.between(0, rec.t_start))} events; resolution {rec.resolution}")


if __name__ == "__main__":
    main(*sys.argv[1:])
