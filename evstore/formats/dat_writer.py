"""Write DAT of version 2: change events (type 0x0C) behind the header Prophesee's tools write."""

from __future__ import annotations

from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from evstore.events import Events
from evstore.formats import dat_kernels as kernels
from evstore.formats.prophesee_writer import check_resolution, header_value
from evstore.formats.records_writer import Layout, Writer

#: Event type and record size, the two bytes behind the header.
CHANGE_EVENTS = b"\x0c\x08"


def pack(events: Events) -> NDArray[np.uint64]:
    """The records of events that fit."""
    records = np.empty(len(events), np.dtype("<u8"))
    t, x, y, p = (np.ascontiguousarray(a) for a in (events.t, events.x, events.y, events.p))
    kernels.pack(t, x, y, p, records)
    return records


#: A longer step back in time is read as a wrap of the 32-bit clock.
LAYOUT = Layout("DAT", 1 << 32, 1 << 14, 1 << 14, step_back=1 << 31, pack=pack)


def writer(
    stream: BinaryIO, resolution: tuple[int, int], metadata: dict[str, Any], rebase: bool
) -> Writer:
    """What takes events and writes DAT.

    It cannot hold times below 0 or of 2^32 us and more, a step back of more than 2^31 us, x or y
    of 16384 and more.

    >>> import io
    >>> stream = io.BytesIO()
    >>> writer(stream, (34, 30), {}, rebase=False).write([5], [1], [2], [1])
    >>> stream.getvalue()[-10:].hex(" ", 2)
    '0c08 0500 0000 0180 0010'
    """
    stream.write(header(resolution, metadata))
    return Writer(stream, LAYOUT, rebase)


def header(resolution: tuple[int, int], metadata: dict[str, Any]) -> bytes:
    """The text header and the two bytes behind it; ``Date`` where the metadata has one.

    >>> header((34, 30), {"date": "2020-01-02 03:04:05"}).decode().splitlines()[1:4]
    ['% Version 2', '% Date 2020-01-02 03:04:05', '% Height 30']
    """
    check_resolution(resolution)
    date = header_value(metadata, "date")
    lines = ["% Data file containing CD events.", "% Version 2"]
    lines += [f"% Date {date}"] if date else []
    lines += [f"% Height {resolution[1]}", f"% Width {resolution[0]}", ""]
    return "\n".join(lines).encode("ascii") + CHANGE_EVENTS
