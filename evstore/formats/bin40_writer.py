"""Write the 40-bit ``.bin`` of N-MNIST: records and nothing else."""

from __future__ import annotations

from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from evstore.events import Events
from evstore.formats.records_writer import Layout, Writer


def pack(events: Events) -> NDArray[np.uint8]:
    """The records of events that fit."""
    octets = np.empty((len(events), 5), np.uint8)
    octets[:, 0] = events.x
    octets[:, 1] = events.y
    octets[:, 2] = (events.p != 0) * np.uint8(128) | (events.t >> 16).astype(np.uint8)
    octets[:, 3] = events.t >> 8 & 255
    octets[:, 4] = events.t & 255
    return octets.reshape(-1)


#: Row 240 is no row but the mark of an overflow, and no sensor of the kind has more.
LAYOUT = Layout("40-bit .bin", 1 << 23, 256, 240, step_back=None, pack=pack)


def writer(stream: BinaryIO, rebase: bool) -> Writer:
    """What takes events and writes records; there is no place for a resolution or metadata.

    It cannot hold times below 0 or of 2^23 us (8.4 s) and more, x above 255, y above 239.

    >>> import io
    >>> stream = io.BytesIO()
    >>> writer(stream, rebase=False).write([70_000], [1], [2], [1])
    >>> stream.getvalue().hex(" ")
    '01 02 81 11 70'
    """
    return Writer(stream, LAYOUT, rebase)
