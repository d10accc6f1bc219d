"""The events that all contenders keep, in a folder: a process that measures one reads them there.

``once/`` is the recording as it was made, ``tiled/`` the same again and again with shifting time.
Each has the columns, and the two references that every speed is also a ratio of: packed records
of 13 bytes, and the columns by pcodec where that is installed.
"""

from __future__ import annotations

import json
import os
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evstore.bench import pco
from evstore.events import COLUMNS, PACKED_DTYPE, Events

RECORDS = "records.bin"
ONCE, TILED = "once", "tiled"


def hand_over(folder: str, events: Events, tiled_events: int) -> dict[str, int]:
    """Write both, or one where no tiles are needed; how many events each has."""
    counts = {}
    wanted = {ONCE: events}
    if len(events) < tiled_events:
        wanted[TILED] = tile(events, tiled_events)
    for name, those in wanted.items():
        place = os.path.join(folder, name)
        os.makedirs(place)
        for column in COLUMNS:
            np.save(os.path.join(place, f"{column}.npy"), getattr(those, column))
        those.to_structured(PACKED_DTYPE).tofile(os.path.join(place, RECORDS))
        if find_spec("pcodec"):
            for column, packed in pco.compress(those).items():
                with open(os.path.join(place, f"{column}.pco"), "wb") as file:
                    file.write(packed)
        counts[name] = len(those)
    with open(os.path.join(folder, "about.json"), "w", encoding="utf-8") as file:
        json.dump({"resolution": events.resolution}, file)
    return counts


def tile(events: Events, count: int) -> Events:
    """At least ``count`` events: the recording again and again, each time after the last.

    Fewer where their times would not fit 62 bits.

    >>> tile(Events([5, 7], [1, 2], [3, 4], [0, 1]), 3).t.tolist()
    [5, 7, 8, 10]
    """
    span = int(events.t.max()) - int(events.t.min()) + 1
    fit = ((1 << 62) - int(events.t.max())) // span
    copies = max(1, min(-(-count // len(events)), fit))
    t = np.tile(events.t, copies)
    t.reshape(copies, -1)[:] += (np.arange(copies, dtype=np.int64) * span)[:, None]
    x, y, p = (np.tile(getattr(events, name), copies) for name in "xyp")
    return Events.of(t, x, y, p, events.resolution)


class Handed:
    """The events of one of the two, and its references."""

    def __init__(self, folder: str, which: str) -> None:
        self._place = os.path.join(folder, which)
        if not os.path.isdir(self._place):
            self._place = os.path.join(folder, ONCE)
        with open(os.path.join(folder, "about.json"), encoding="utf-8") as file:
            said = json.load(file)["resolution"]
        self._resolution: tuple[int, int] | None = tuple(said) if said else None

    def events(self, most: int | None = None) -> Events:
        """The events, or the first ``most``."""
        loaded = (np.load(os.path.join(self._place, f"{name}.npy")) for name in COLUMNS)
        t, x, y, p = (column[:most] for column in loaded)
        return Events.of(t, x, y, p, self._resolution)

    def count(self) -> int:
        """How many events there are."""
        return os.path.getsize(os.path.join(self._place, RECORDS)) // PACKED_DTYPE.itemsize

    def records(self) -> NDArray[Any]:
        """The reference: packed records from a file."""
        return np.fromfile(os.path.join(self._place, RECORDS), PACKED_DTYPE)

    def packed(self) -> dict[str, bytes] | None:
        """The other reference, to be unpacked from memory; None without pcodec."""
        if not find_spec("pcodec"):
            return None
        columns = {}
        for name in COLUMNS:
            with open(os.path.join(self._place, f"{name}.pco"), "rb") as file:
                columns[name] = file.read()
        return columns
