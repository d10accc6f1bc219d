"""Write events as a camera gives them, and read the growing file meanwhile.

    python examples/write_live.py live.evs

A simulated sensor stands in for the camera. Were this process killed, `evstore recover
live.evs.part saved.evs` would give back all but the last second.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from threading import Thread

import evstore

RESOLUTION = (346, 260)
DURATION_US = 500_000
PEDESTRIAN = 3  # a class of labelled times is a number


def camera() -> Iterator[evstore.Events]:
    """Packets of events, one after the other."""
    return evstore.simulate(RESOLUTION, DURATION_US, events_per_s=1_000_000, batch_events=20_000)


def watch(path: str) -> None:
    """What a reader sees, in another thread here, just as well in another process."""
    seen = 0
    for events in evstore.follow(path, timeout_s=5):
        seen += len(events)
        print(f"followed to event {seen:,}")


def main(path: str) -> None:
    with evstore.create(path, resolution=RESOLUTION, metadata={"place": "roof"}) as out:
        reader = Thread(target=watch, args=(path,))
        for number, packet in enumerate(camera()):
            out.write(packet)
            if number == 0:
                reader.start()
            if number == 10:
                out.trigger(int(packet.t[-1]), id=1)
        out.label(PEDESTRIAN, t_start=100_000, t_stop=200_000)
    reader.join()
    with evstore.open(path) as rec:
        seconds = (rec.t_stop - rec.t_start) / 1e6
        print(f"{path}: {len(rec):,} events in {seconds:.2f} s, triggers {rec.triggers}")


if __name__ == "__main__":
    main(sys.argv[1])
