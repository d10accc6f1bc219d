"""Read a recording in windows of 10 ms: how many events, how many of them ON, where.

python examples/read_windows.py drive.evs        (or drive.raw: any file evstore reads)
"""

from __future__ import annotations

import sys

import evstore

DURATION_US = 10_000


def main(path: str) -> None:
    with evstore.open(path) as rec:
        print(f"{path}: {len(rec):,} events, {rec.resolution}, {rec.t_start} to {rec.t_stop} us")
        for window in rec.windows(duration=DURATION_US):
            if not len(window):
                continue
            x, y = window.x.mean(), window.y.mean()
            share = window.p.mean()
            print(
                f"{window.t[0]:>12} us {len(window):>8,} events {share:4.0%} ON at {x:.0f}, {y:.0f}"
            )

        # Only what is asked for is decoded: a region, one polarity, the first half.
        width, height = rec.resolution or (1, 1)
        middle = (rec.t_start + rec.t_stop) // 2
        corner = (0, 0, width // 2, height // 2)
        found = rec.between(rec.t_start, middle, roi=corner, polarity=1)
        print(f"{len(found):,} ON events in the top left quarter in the first half")


if __name__ == "__main__":
    main(sys.argv[1])
