"""From expelliarmus to evstore: the old lines and the new ones, run on one file and compared.

    python examples/migrate_expelliarmus.py drive.raw        (EVT2 or EVT3 .raw, or .dat)

Needs expelliarmus beside evstore. What is not copied:

- expelliarmus must be told the encoding; evstore sees it in the file.
- Times of EVT3: the clock of expelliarmus 1.1.12 runs too fast, twice and more on real files.
  Coordinates and polarities are right, so there they alone must be equal.
- `read_chunk` of EVT3 may give up to 12 events more than ``chunk_size``; windows by count have
  exactly as many as you asked for, but for the last one.
- `read_time_window` begins a window at whatever event comes next and puts the event that ends
  it into it as well, so windows drift and a microsecond may be cut in two. Windows by duration
  lie on one grid from the first event on and are half-open; empty ones are there.
- Coordinates are uint16, not int16, and the sensor's resolution comes with them.
"""

from __future__ import annotations

import sys

import numpy as np

import evstore

COUNT, DURATION_US = 8192, 10_000


def old_read(path: str, encoding: str) -> np.ndarray:
    from expelliarmus import Wizard

    return Wizard(encoding=encoding, fpath=path).read()


def new_read(path: str) -> evstore.Events:
    with evstore.open(path) as rec:
        return rec[:]  # columns t, x, y, p; .to_structured() makes rows of them


def old_chunks(path: str, encoding: str) -> list[np.ndarray]:
    from expelliarmus import Wizard

    return list(Wizard(encoding=encoding, fpath=path, chunk_size=COUNT).read_chunk())


def new_chunks(path: str) -> list[evstore.Events]:
    with evstore.open(path) as rec:
        return list(rec.windows(count=COUNT, partial=True))


def old_time_windows(path: str, encoding: str) -> list[np.ndarray]:
    from expelliarmus import Wizard

    return list(Wizard(encoding=encoding, fpath=path, time_window=DURATION_US).read_time_window())


def new_time_windows(path: str) -> list[evstore.Events]:
    with evstore.open(path) as rec:
        return list(rec.windows(duration=DURATION_US, partial=True))


def differing(old: np.ndarray, new: evstore.Events) -> dict[str, int]:
    """In how many events each column differs."""
    assert len(old) == len(new), (len(old), len(new))
    return {n: int(np.count_nonzero(old[n] != getattr(new, n))) for n in ("t", "x", "y", "p")}


def main(path: str) -> None:
    with evstore.open(path) as rec:
        encoding = rec.format
    print(f"{path}: {encoding}")

    old, new = old_read(path, encoding), new_read(path)
    found = differing(old, new)
    assert found["x"] == found["y"] == found["p"] == 0, found
    assert found["t"] == 0 or encoding == "evt3", found
    print(f"read: {len(new):,} events; x, y and p are equal, t differs in {found['t']:,}")
    if found["t"]:
        spans = [int(t.max() - t.min()) / 1e6 for t in (old["t"], new.t)]
        print(f"      the old clock runs for {spans[0]:.3f} s, the file's for {spans[1]:.3f} s")

    chunks, windows = old_chunks(path, encoding), new_chunks(path)
    assert [len(w) for w in windows[:-1]] == [COUNT] * (len(windows) - 1)
    assert evstore.Events.concatenate(windows) == new
    longest = max(map(len, chunks))
    print(f"chunks: {len(chunks)} of up to {longest:,} before, {len(windows)} of {COUNT:,} now")

    slices, spans_now = old_time_windows(path, encoding), new_time_windows(path)
    starts = new.t.min() + DURATION_US * np.arange(len(spans_now))
    for start, window in zip(starts, spans_now, strict=True):
        assert not len(window) or start <= window.t.min() <= window.t.max() < start + DURATION_US
    print(f"time windows: {len(slices)} before, {len(spans_now)} on a grid of {DURATION_US} us now")


if __name__ == "__main__":
    main(sys.argv[1])
